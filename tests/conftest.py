"""Shared by all tests: a skip is a failure in CI, and no test touches the author's own folders."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scifi_llm.rag.bench import processes

REPO = Path(__file__).resolve().parents[1]
EVAL = REPO.parent / "shared" / "eval"

# A runner started in the background ignores Ctrl+C, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point all state at the test's own folder."""
    for name in ("RAG_API_KEY", "UPSTREAM_API_KEY", "RAG_UPSTREAM_URL", "RAG_HOST", "MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAG_HOME", str(tmp_path / "rag_home"))
    monkeypatch.setenv("RUN_DIR", str(tmp_path / "run"))


@pytest.fixture(scope="session")
def new_port() -> Callable[[], int]:
    """Gives a port that nothing listens on."""
    return processes.free_port


@pytest.fixture
def free_port(new_port: Callable[[], int]) -> int:
    """A port that nothing listens on."""
    return new_port()
