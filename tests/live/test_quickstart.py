"""quickstart.sh, killed in every stage and run to its end, on the real stack."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scifi_llm.paths import venvs_dir
from scifi_llm.rag.bench.processes import free_port

REPO = Path(__file__).resolve().parents[2]
STUB_PIP = Path(__file__).parent / "stub_pip"


class Quickstart:
    """A running quickstart.sh in a session of its own, whose output is collected."""

    def __init__(self, repo: Path, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            ["./quickstart.sh"],
            cwd=repo,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.text = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.text += line

    def wait_for(self, text: str, limit: float = 300) -> None:
        started = time.monotonic()
        while text not in self.text:
            assert self.process.poll() is None or text in self.text, self.text
            assert time.monotonic() - started < limit, self.text
            time.sleep(0.02)

    def kill(self, whole_session: bool) -> None:
        """kill -9: the script alone (its children go on), or as when the terminal is lost."""
        if whole_session:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.send_signal(signal.SIGKILL)
        assert self.process.wait(30) == -signal.SIGKILL

    def finish(self, limit: float = 600) -> str:
        assert self.process.wait(limit) == 0, self.text
        self._reader.join(30)
        return self.text


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "ENGINE": "cpu",
        "HF_HUB_OFFLINE": "1",
        "RAG_HOME": str(folder / "rag_home"),
        "RUN_DIR": str(folder / "run"),
        "SCIFI_LLM_CACHE": str(folder / "cache"),
        "VLLM_PORT": str(free_port()),
        "RAG_PORT": str(free_port()),
        **more,
    }


def listening(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def processes_of(folder: Path) -> list[str]:
    """Command lines of all processes whose environment names this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().decode().replace("\0", " "))
        except OSError:
            continue
    return [line for line in found if line and "pytest" not in line]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[dict[str, str]]:
    env = environment(tmp_path)
    yield env
    subprocess.run([REPO / "quickstart.sh", "--stop"], env=env, check=False, capture_output=True)


def run(*words: Any, env: dict[str, str], repo: Path = REPO) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        cwd=repo,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


# (what must have been printed, seconds after that, the whole session?)
KILLS = [
    ("Stage 1/8", 0.0, False),
    ("Converting SmolLM2-135M-Instruct", 8.0, True),
    ("Loading all-MiniLM-L6-v2", 5.0, False),
    ("Starting vLLM on", 3.0, False),
    ("Starting the RAG proxy", 1.0, True),
    ("Question: ", 0.3, True),
]


def test_killed_in_each_stage_it_goes_on_to_the_end(scene: dict[str, str], tmp_path: Path) -> None:
    for text, seconds, whole_session in KILLS:
        quickstart = Quickstart(REPO, scene)
        quickstart.wait_for(text)
        time.sleep(seconds)
        quickstart.kill(whole_session)
    told = Quickstart(REPO, scene).finish()
    assert "Elena" in told.split("Question: ")[1]
    assert "(characters/elena-ruhl.md, bm25 0." in told
    assert " prompt tokens, " in told
    assert "Your own notes" in told
    assert "[ERROR]" not in told
    # The model only proves the installation, and the output says so.
    assert "only proves the installation" in told

    # A second run does nothing twice.
    state = sorted((tmp_path / "rag_home" / "chroma_db").rglob("*"))
    pids = {file.name: file.read_text() for file in (tmp_path / "run").glob("*.pid")}
    told = Quickstart(REPO, scene).finish()
    assert "Installing" not in told
    assert "Converting" not in told
    assert "up to date" in told
    assert told.count("is already started") == 2
    assert sorted((tmp_path / "rag_home" / "chroma_db").rglob("*")) == state
    assert {f.name: f.read_text() for f in (tmp_path / "run").glob("*.pid")} == pids
    assert len(pids) == 2

    # The answer has its sources under another question too; then everything stops.
    done = run("./quickstart.sh", "--stop", env=scene)
    assert done.returncode == 0, done.stderr
    assert not listening(scene["VLLM_PORT"])
    assert not listening(scene["RAG_PORT"])
    assert processes_of(tmp_path) == []
    done = run("./quickstart.sh", "--stop", env=scene)
    assert done.returncode == 0
    assert done.stdout.count("is not running") == 2


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the repository whose pip is a stub that "installs" the real environments."""
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        capture_output=True,
        check=True,
    ).stdout
    repo = tmp_path / "clone"
    for name in filter(None, files.decode().split("\0")):
        if (REPO / name).is_symlink() or (REPO / name).exists():
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, repo / name, follow_symlinks=False)
    shutil.copytree(STUB_PIP, repo / "src" / "pip")
    return repo


def test_killed_while_it_makes_the_environments_it_goes_on(clone: Path, tmp_path: Path) -> None:
    log = tmp_path / "pip.log"
    env = environment(
        tmp_path,
        VENVS_DIR=str(tmp_path / "venvs"),
        PYTHON=str(venvs_dir() / "rag" / "bin" / "python"),
        STUB_PIP_LOG=str(log),
        STUB_PIP_REAL=str(venvs_dir()),
        STUB_PIP_SECONDS="3",
        PIP_FIND_LINKS="",
        PIP_EXTRA_INDEX_URL="",
        PIP_INDEX_URL="",
    )
    try:
        llm = tmp_path / "venvs" / "llm"
        kills = [
            (f"Creating {tmp_path / 'venvs' / 'rag'}", 1.0, True),
            ("requirements/rag.txt into", 1.5, False),  # its pip goes on alone: the next run waits
            (f"Creating {llm}", 1.0, True),
            ("Installing torch==", 1.5, True),  # pip dies with a package half installed
            ("requirements/llm-cpu.txt into", 1.5, True),
        ]
        for text, seconds, whole_session in kills:
            quickstart = Quickstart(clone, env)
            quickstart.wait_for(text)
            time.sleep(seconds)
            quickstart.kill(whole_session)
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "SmolLM2-135M-Instruct").symlink_to(
            Path.home() / ".cache" / "scifi-llm" / "SmolLM2-135M-Instruct"
        )
        told = Quickstart(clone, env).finish()
        assert "A made-up answer." in told
        assert "(characters/elena-ruhl.md, " in told
        calls = [json.loads(line) for line in log.read_text().splitlines()]
        # Never two at once, though the pip of a killed run went on alone.
        assert len(calls) >= 3
        assert all(a["end"] <= b["start"] for a, b in pairwise(calls))
        torch = [call["argv"] for call in calls if call["argv"][-1].startswith("torch==")]
        assert torch[0] == [
            "install",
            "--no-deps",
            "--extra-index-url",
            "https://download.pytorch.org/whl/cpu",
            "torch==2.13.0+cpu",
        ]
        assert not any("find-links" in word for call in calls for word in call["argv"])
        again = Quickstart(clone, env).finish()
        assert "Installing" not in again
        assert len(log.read_text().splitlines()) == len(calls)
    finally:
        run("./quickstart.sh", "--stop", env=env, repo=clone)
        assert processes_of(tmp_path) == []
