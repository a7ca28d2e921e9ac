"""How fast the pipeline is on this machine, as ratios within one run."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import machine
from ..console import Parser, log_ok, log_test
from ..documents import read_folder
from ..errors import ToolkitError
from ..paths import REPO
from . import backends, embedding, index, store
from .chunking import chunk_sections
from .speed_search import QUERIES, SEED, quantiles, search_at, timed

if TYPE_CHECKING:
    import numpy as np

PACKAGES = ("chromadb", "numpy", "onnxruntime", "openvino", "sentence-transformers", "torch")
SAMPLE = 240  # chunks that each backend encodes
QUESTION = "Who is Elena and what does she fear most?"


def rates(model: str, texts: Sequence[str]) -> dict[str, Any]:
    """Chunks a second of each backend here, cosine to torch fp32, and the time of a short query."""
    sample = random.Random(SEED).sample(list(texts), min(SAMPLE, len(texts)))
    found: dict[str, Any] = {}
    exact: np.ndarray | None = None
    for name in dict.fromkeys([backends.TORCH, backends.preferred(), backends.ONNX]):
        embedder = embedding.load(model, name, bulk=True)
        embedder.encode_documents(sample[:128])
        started = time.perf_counter()
        vectors = embedder.encode_documents(sample, name)
        seconds = time.perf_counter() - started
        exact = vectors if exact is None else exact
        asked = embedding.load(model, name)
        query = [timed(partial(asked.encode_query, QUESTION)) for _ in range(QUERIES)]
        found[name] = {
            "chunks_per_s": round(len(sample) / seconds, 1),
            "mean_cosine": round(float((vectors * exact).sum(1).mean()), 5),
            "query_ms": quantiles(query),
        }
    base = found[backends.TORCH]["chunks_per_s"]
    chosen = embedding.load(model).backend.name
    ratio = round(found[chosen]["chunks_per_s"] / base, 2)
    return {"backends": found, "chosen": chosen, "to_torch_fp32": ratio}


def commands(data: Path, model: str, home: Path) -> dict[str, Any]:
    """Seconds of the whole commands on a copy of `data`: first run, unchanged, a paragraph edited.

    `encode_s` is the encoding of the same chunks alone, in this process, with a loaded model.
    """
    shutil.copytree(data, home / "data")

    def run(*command: str) -> float:
        path = [sys.executable, str(REPO / "RAG" / "setup" / command[0]), *command[1:]]
        environment = {**os.environ, "RAG_HOME": str(home), "CHROMA_URL": ""}

        def start() -> None:
            done = subprocess.run(path, env=environment, capture_output=True, text=True)
            if done.returncode == 1:
                raise ToolkitError(done.stderr.strip().splitlines()[-1], "See the message.")

        return timed(start)

    first = {
        "ingest_s": run("1_ingest.py"),
        "embed_s": run("2_embed_and_store.py", "--model", model),
    }
    unchanged = run("1_ingest.py"), run("2_embed_and_store.py")
    edited = _edit(home / "data")
    after = run("1_ingest.py"), run("2_embed_and_store.py")
    root = home / "chroma_db"
    collection = store.Collection(root, store.collections(root)[0])
    embedder = embedding.load(collection.manifest.model, bulk=True)
    texts = [chunk.embedded for chunk in collection.chunks.values()]
    embedder.encode_query("warm-up")
    encode = timed(lambda: embedder.encode_documents(texts, "The same chunks alone"))
    whole = sum(first.values())
    return {
        "chunks": len(texts),
        **{name: round(seconds, 2) for name, seconds in first.items()},
        "encode_s": round(encode, 2),
        "ingest_and_embed_to_encode": round(whole / encode, 3),
        "unchanged_s": {"ingest": round(unchanged[0], 2), "embed": round(unchanged[1], 2)},
        "edited": edited,
        "edited_s": {"ingest": round(after[0], 2), "embed": round(after[1], 2)},
    }


def _edit(folder: Path) -> str:
    """Lengthen a paragraph in the middle of the longest text; returns the file's name."""
    file = max(folder.rglob("*.md"), key=lambda path: path.stat().st_size)
    parts = file.read_text("utf-8").split("\n\n")
    parts[len(parts) // 2] += " Nobody had expected the third moon to rise so early."
    file.write_text("\n\n".join(parts), "utf-8")
    return file.name


def about() -> dict[str, Any]:
    """What the numbers hold for: machine, commit, versions, settings."""
    return {
        **machine.record(PACKAGES),
        "bfloat16": backends.preferred() == backends.OPENVINO,
        "settings": index.settings(),
    }


def main() -> int:
    """Entry of RAG/benchmarks/measure_speed.py."""
    parser = Parser(
        prog="measure_speed.py",
        description="Measure ingest, embedding, updates and search on this machine, as ratios.",
        epilog="example: ./measure_speed.py --data ~/novel/notes --json speed.json",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of texts")
    parser.add_argument("--model", default="fast", metavar="MODEL", help="preset or folder (fast)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000], metavar="N",
                        help="chunks to search (10000 100000)")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there")
    options = parser.parse_args()
    if not options.data.is_dir():
        raise ToolkitError(f"{options.data} is not a folder.", "Name a folder of texts: --data DIR")
    with tempfile.TemporaryDirectory() as scratch:
        report = measure(options.data, options.model, options.sizes, Path(scratch))
    text = json.dumps(report, indent=2)
    if options.json:
        options.json.write_text(text + "\n", "utf-8")
    print(text)
    log_ok("Measured." + (f" Kept in {options.json}" if options.json else ""))
    return 0


def measure(data: Path, model: str, sizes: Sequence[int], home: Path) -> dict[str, Any]:
    """All of it, as one JSON-ready dict."""
    name = embedding.choose(model)
    tokens = embedding.load(name).tokens
    chunks = chunk_sections(read_folder(data).sections, tokens, index.TARGET_TOKENS)
    if not chunks:
        raise ToolkitError(f"{data} holds no text.", "Name a folder of texts: --data DIR")
    report: dict[str, Any] = {**about(), "model": name}
    log_test("Encoding by each backend")
    report["encoding"] = rates(name, [chunk.embedded for chunk in chunks])
    log_test("Ingest, embedding, no change, one paragraph edited")
    report["commands"] = commands(data, model, home)
    report["search"] = []
    for size in sizes:
        log_test(f"Searching {size:,} chunks")
        report["search"].append(search_at(size, home))
    return report
