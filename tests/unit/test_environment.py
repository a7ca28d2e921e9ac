"""Comparing an environment with its pins, and starting scripts in the right one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("venvs") / "llm"
    venv.create(folder, symlinks=True, with_pip=True)
    yield folder
    shutil.rmtree(folder)


def package(environment: Path, name: str, version: str, record: bool = True) -> Path:
    (site,) = environment.glob("lib/python*/site-packages")
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if record:
        (folder / "RECORD").write_text("")
    return folder


def check(environment: Path, lines: str, tmp_path: Path) -> tuple[int, str]:
    file = tmp_path / "pins.txt"
    file.write_text(lines)
    done = subprocess.run(
        [environment / "bin" / "python", "-m", "scifi_llm.environment", "check", file],
        env={"PYTHONPATH": str(REPO / "src"), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


def test_matching_missing_and_other_versions(environment: Path, tmp_path: Path) -> None:
    package(environment, "alpha", "1.0")
    package(environment, "beta", "2.0+cpu")
    assert check(environment, "alpha==1.0.0\nbeta==2.0+cpu\n", tmp_path) == (0, "")
    lines = "# pins\nalpha==1.1\nbeta==2.0\ngamma==3\nwin==1 ; sys_platform == 'win32'\n"
    assert check(environment, lines, tmp_path) == (1, "alpha\nbeta\ngamma")


def test_a_torn_package_is_found_and_forgotten(environment: Path, tmp_path: Path) -> None:
    # pip was killed while it installed: metadata is there, RECORD, written last, is not.
    folder = package(environment, "torn", "1.0", record=False)
    assert check(environment, "torn==1.0\n", tmp_path) == (1, "torn")
    assert not folder.exists()


@pytest.mark.parametrize("script", ["RAG/1_ingest.py", "RAG/setup/1_ingest.py"])
def test_a_missing_environment_names_the_script_that_makes_it(script: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, REPO / script],
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"[ERROR] {tmp_path}/.venvs/rag does not exist. "
        "Create it with: RAG/0_create_venv_with_deps.sh\n"
    )
