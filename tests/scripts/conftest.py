"""Runs a script of the repository as a person would, and keeps what it printed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("RAG/1_ingest.py", "--data", …, cwd=…, env={…})`; the first word may be a program."""

    def call(*words: object, cwd: Path = REPO, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(word) for word in words],
            cwd=cwd,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "IN_QUICKSTART": "", **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return call


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """RAG_HOME of the test."""
    return tmp_path / "rag_home"
