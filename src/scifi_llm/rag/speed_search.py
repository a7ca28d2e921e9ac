"""How fast search is on this machine, at any number of chunks."""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ToolkitError
from ..paths import REPO
from . import store
from .chunking import Chunk
from .passages import SearchRequest
from .retrieval import Retriever
from .store import memory

if TYPE_CHECKING:
    import numpy as np

Search = Callable[[str, int | None], Any]  # question, as_of
QUERIES = 60
SEED = 7


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50 and p95 in milliseconds."""
    ordered = sorted(seconds)
    pick = {"p50": 0.5, "p95": 0.95}
    return {
        name: round(1000 * ordered[int(share * (len(ordered) - 1))], 2)
        for name, share in pick.items()
    }


def timed(work: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def grow(chunks: Sequence[Chunk], vectors: np.ndarray, size: int) -> store.Contents:
    """`size` chunks: copies of real ones with words exchanged and vectors disturbed.

    Copies are chapters 1 to 40, so that `as_of` has something to hide.
    """
    import numpy as np

    dice, noise = random.Random(SEED), np.random.default_rng(SEED)
    made = []
    for number in range(size):
        chunk, copy = chunks[number % len(chunks)], number // len(chunks)
        path = f"{copy:03}/{chunk.note.path}"
        note = replace(chunk.note, path=path, type="chapter", chapter=1 + copy % 40)
        words = chunk.text.split(" ")
        if copy:
            dice.shuffle(words)
        made.append(replace(chunk, id=f"{number:08}", note=note, text=" ".join(words)))
    rows = np.arange(size) % len(chunks)
    disturbed = vectors[rows] + noise.normal(scale=0.02, size=(size, vectors.shape[1]))
    disturbed /= np.linalg.norm(disturbed, axis=1, keepdims=True)
    return store.Contents(made, disturbed.astype(np.float32))


def publish_copy(root: Path, base: store.Manifest, contents: store.Contents) -> str:
    """A collection with its in-memory copy alone: a search never opens the store of record."""
    name = f"copy-{len(contents.chunks)}"
    folder = root / name / "v1"
    folder.mkdir(parents=True)
    memory.write(folder, contents)
    store.point_to(root, replace(base, name=name, version=1, chunks=len(contents.chunks)))
    return name


def searching(search: Search, queries: Sequence[str]) -> dict[str, Any]:
    """Latency of one search, with and without `as_of`; the first one of all opens everything."""
    opening = timed(lambda: search(queries[0], None))
    search(queries[0], 20)
    result: dict[str, Any] = {"first_s": round(opening, 2)}
    # A blank more makes it another text: vectors of questions are kept, and each is to be embedded.
    for label, as_of, blanks in (("plain_ms", None, " "), ("as_of_ms", 20, "  ")):
        result[label] = quantiles([timed(partial(search, q + blanks, as_of)) for q in queries])
    return result


def questions(chunks: Sequence[Chunk]) -> list[str]:
    """Questions about names and words of the text itself; the same on every run."""
    dice = random.Random(SEED)
    asked = []
    for _ in range(QUERIES):
        words = re.findall(r"\w{4,}", dice.choice(chunks).text) or ["nothing"]
        asked.append(f"What about {' '.join(dice.sample(words, min(len(words), 5)))}?")
    return asked


def search_at(size: int, home: Path) -> dict[str, Any]:
    """Search at a number of chunks, made from the one collection in `home`."""
    root = home / "chroma_db"
    collection = store.Collection(root, store.collections(root)[0])
    chunks = list(collection.chunks.values())
    name = publish_copy(root, collection.manifest, grow(chunks, collection.matrix, size))
    asked = questions(chunks)
    # In a process of its own: its memory is what a proxy would hold.
    code = (
        "import json, sys; from pathlib import Path; from scifi_llm.rag import speed_search\n"
        "root, name, asked = Path(sys.argv[1]), sys.argv[2], json.load(sys.stdin)\n"
        "print(json.dumps(speed_search.measure_search(root, name, asked)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root), name],
        input=json.dumps(asked),
        env={**os.environ, "PYTHONPATH": str(REPO / "src")},
        capture_output=True,
        text=True,
    )
    shutil.rmtree(root / name)
    if done.returncode:
        raise ToolkitError(f"Searching {size} chunks failed: {done.stderr.strip()[-300:]}")
    return {"chunks": size, **json.loads(done.stdout.splitlines()[-1])}


def measure_search(root: Path, name: str, asked: Sequence[str]) -> dict[str, Any]:
    """Latency and peak memory of the retriever that the proxy uses."""
    retriever = Retriever(root, name)
    found = searching(lambda q, as_of: retriever.search(SearchRequest(query=q, as_of=as_of)), asked)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {**found, "peak_memory_mb": peak}
