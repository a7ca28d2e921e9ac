"""Servers that a benchmark starts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.rag.bench import processes
from scifi_llm.rag.bench.processes import server


def test_a_server_that_ends_at_once_is_told_in_its_own_words(tmp_path: Path) -> None:
    script = "import sys; print('[TEST] Opening'); sys.exit('[ERROR] No collection. Run: it\\n')"
    command = [sys.executable, "-c", script]
    with (
        pytest.raises(ToolkitError) as told,
        server("The proxy", command, "http://127.0.0.1:9/health", tmp_path / "log", None, {}),
    ):
        raise AssertionError("It never answered.")
    assert str(told.value) == "The proxy did not start: No collection. Run: it"


def test_a_server_that_says_nothing_is_told_by_its_status(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit(7)"]
    with (
        pytest.raises(ToolkitError) as told,
        server("The proxy", command, "http://127.0.0.1:9/health", tmp_path / "log", 0, {}),
    ):
        raise AssertionError("It never answered.")
    assert str(told.value) == "The proxy did not start: it ended with status 7"


def test_a_server_that_never_answers_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 1.0)
    script = "import time; print('Loading', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", script]
    with (
        pytest.raises(ToolkitError) as told,
        server("The proxy", command, "http://127.0.0.1:9/health", tmp_path / "log", None, {}),
    ):
        raise AssertionError("It never answered.")
    assert str(told.value) == "The proxy did not start: no answer within 1 s; last it said: Loading"
