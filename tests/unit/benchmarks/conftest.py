"""Running a benchmark's main against a server that answers by rule."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scifi_llm.console import run_main

HERE = Path(__file__).parent


def load(name: str) -> Any:
    """A helper module of this folder."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", HERE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def serving() -> Any:
    return load("upstream").serving


Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def benchmark_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """(module, words…) -> exit status and the newest result in tmp_path/out."""

    def run(module: Any, *words: str) -> tuple[int, dict[str, Any]]:
        out = tmp_path / "out"
        monkeypatch.setattr(sys, "argv", ["benchmark", *words, "--out", str(out)])
        status = run_main(module.main)
        files = sorted(out.glob("*.json"))
        return status, json.loads(files[-1].read_text("utf-8")) if files else {}

    return run
