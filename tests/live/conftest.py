"""The real stack on scratch ports and folders: vLLM on the CPU, Chroma, the proxy."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
MODEL = "SmolLM2-135M-Instruct"


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@dataclass
class Stack:
    """Where the servers of this test run are, and how to run a script against them."""

    folder: Path
    vllm_port: int
    rag_port: int

    @property
    def env(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("RAG_")}
        return {
            **kept,
            "ENGINE": "cpu",
            "HF_HUB_OFFLINE": "1",
            "IN_QUICKSTART": "",
            "RAG_HOME": str(self.folder / "rag_home"),
            "RUN_DIR": str(self.folder / "run"),
            "VLLM_PORT": str(self.vllm_port),
            "RAG_PORT": str(self.rag_port),
        }

    def run(self, *words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=REPO,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def must(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def stop(self) -> None:
        self.run("./quickstart.sh", "--stop")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Both servers, started by the scripts that an author types."""
    made = Stack(tmp_path_factory.mktemp("stack"), port(), port())
    try:
        made.must("RAG/1_ingest.py")
        made.must("RAG/2_embed_and_store.py", "--model", "fast", "--collection", "scifi_world")
        made.must("./serve_vllm.sh", "--detach")
        upstream = f"http://127.0.0.1:{made.vllm_port}/v1"
        made.must("./serve_rag_proxy.sh", "scifi_world", "--upstream", upstream, "--detach")
        yield made
    finally:
        made.stop()
