"""The environment of fine-tuning, a tiny model, and prepared data of a real novel."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scifi_llm.paths import model_cache, venvs_dir

REPO = Path(__file__).resolve().parents[3]
NOVELS = REPO.parent / "shared" / "eval" / "novels"
WORLD = REPO / "examples" / "scifi_world"
PYTHON = venvs_dir() / "finetune" / "bin" / "python"
BUNDLED = model_cache() / "SmolLM2-135M-Instruct"


@dataclass
class Tools:
    """Runs the scripts of fine-tuning as an author does."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)
    python: Path = PYTHON

    @property
    def env(self) -> dict[str, str]:
        own = {"IN_QUICKSTART": "", "PYTHONPATH": str(REPO / "src"), "ENGINE": "cpu"}
        return {**os.environ, **own, **self.extra}

    def run(self, *words: object, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in words], cwd=REPO, env=self.env, capture_output=True, text=True,
            check=False, timeout=900, **more,
        )  # fmt: skip

    def must(self, *words: object) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def script(self, name: str) -> Path:
        return REPO / "fine-tuning" / "scripts" / name


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    if not PYTHON.exists():
        pytest.skip("~/.venvs/finetune is not there")
    return Tools(tmp_path_factory.mktemp("finetuning"))


@pytest.fixture(scope="session")
def tiny(tools: Tools) -> Path:
    """A Llama of random weights that trains in milliseconds, with the bundled model's tokenizer."""
    folder = tools.folder / "tiny"
    tools.must(PYTHON, Path(__file__).with_name("probe.py"), "tiny", folder, BUNDLED)
    return folder


@pytest.fixture(scope="session")
def another_author(tools: Tools) -> Path:
    """Prose that the voice is not trained on."""
    if not NOVELS.is_dir():
        return WORLD / "worldbuilding"
    folder = tools.folder / "other"
    folder.mkdir()
    text = (NOVELS / "a-princess-of-mars.md").read_text("utf-8")
    (folder / "mars.md").write_text(text, "utf-8")
    return folder


@pytest.fixture(scope="session")
def small(tools: Tools) -> Path:
    """The example world's five chapters, prepared."""
    out = tools.folder / "small"
    chapters = WORLD / "chapters"
    tools.must(tools.script("1_prepare_data.py"), "--input", chapters, "--out", out,
               "--max-tokens", "120")  # fmt: skip
    return out


@pytest.fixture(scope="session")
def novel(tools: Tools) -> Path:
    """The first chapters of a novel, or where none is here the example world's, prepared with two
    planted secrets, each 64 times: in one short epoch 32 are not always enough."""
    source = tools.folder / "novel"
    source.mkdir()
    if NOVELS.is_dir():
        text = (NOVELS / "the-war-of-the-worlds.md").read_text("utf-8")
        first = "\n## ".join(text.split("\n## ")[:10])
        (source / "novel.md").write_text(first, "utf-8")
    else:
        for file in (WORLD / "chapters").glob("*.md"):
            (source / file.name).write_text(file.read_text("utf-8"), "utf-8")
    out = tools.folder / "data"
    tools.must(tools.script("1_prepare_data.py"), "--input", source, "--out", out,
               "--max-tokens", "120", "--held-out", "0.15", "--canaries", "2")  # fmt: skip
    secrets = out / "canaries.jsonl"
    secrets.write_text(
        secrets.read_text("utf-8").replace('"repeats": 32', '"repeats": 64'), "utf-8"
    )
    return out
