"""The real stack on scratch ports and folders: vLLM on the CPU, Chroma, the proxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scifi_llm.paths import model_cache

REPO = Path(__file__).resolve().parents[2]
MODEL = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="session")
def shallow(tmp_path_factory: pytest.TempPathFactory, layers: int = 5) -> Path:
    """A second real model, made in a second: 5 of the bundled one's 30 layers, which write nonsense
    fast. The tensors' bytes are copied as they are."""
    source, folder = model_cache() / MODEL, tmp_path_factory.mktemp("models") / "Shallow"
    folder.mkdir()
    for file in source.iterdir():
        if file.suffix != ".safetensors":
            shutil.copy(file, folder)
    config = json.loads((source / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": layers}))
    raw = (source / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header, body = {}, bytearray()
    for name, entry in json.loads(raw[8:start]).items():
        parts = name.split(".layers.")
        if name == "__metadata__" or (len(parts) > 1 and int(parts[1].split(".")[0]) >= layers):
            continue
        low, high = (start + offset for offset in entry["data_offsets"])
        header[name] = {**entry, "data_offsets": [len(body), len(body) + high - low]}
        body += raw[low:high]
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    (folder / "model.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + body)
    return folder


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
def stack(tmp_path_factory: pytest.TempPathFactory, new_port: Callable[[], int]) -> Iterator[Stack]:
    """Both servers, started by the scripts that an author types."""
    made = Stack(tmp_path_factory.mktemp("stack"), new_port(), new_port())
    try:
        made.must("RAG/1_ingest.py")
        made.must("RAG/2_embed_and_store.py", "--model", "fast", "--collection", "scifi_world")
        made.must("./serve_vllm.sh", "--detach")
        upstream = f"http://127.0.0.1:{made.vllm_port}/v1"
        made.must("./serve_rag_proxy.sh", "scifi_world", "--upstream", upstream, "--detach")
        yield made
    finally:
        made.stop()
