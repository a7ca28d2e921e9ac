"""Search: the passages of a collection that a question needs, under the canon rules."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ToolkitError
from ..settings import setting
from . import embedding, store
from .canon import visible
from .chunking import Chunk

CHARACTERS_PER_TOKEN = (
    4.0  # an estimate for English prose; the serving model's own count may differ
)


@dataclass(frozen=True)
class SearchRequest:
    """A question and its rules. None asks for the default or for no rule."""

    query: str
    collection: str | None = None
    as_of: int | None = None
    pov: str | None = None
    top_k: int | None = None


@dataclass(frozen=True)
class Passage:
    """A chunk that was found: `score` is its cosine similarity, `why` the route that found it."""

    chunk: Chunk
    score: float
    why: str

    def source(self) -> dict[str, Any]:
        """Where it stands and why it was taken, without its text."""
        return {
            "path": self.chunk.note.path,
            "heading": self.chunk.context,
            "score": round(self.score, 4),
            "why": self.why,
        }

    def result(self) -> dict[str, Any]:
        """`source` with the text."""
        return {**self.source(), "text": self.chunk.text}


def estimate_tokens(text: str) -> int:
    """Tokens of `text`, estimated from its characters."""
    return int(len(text) / CHARACTERS_PER_TOKEN) + 1


def fit_budget(
    passages: Iterable[Passage], budget: int, count: Callable[[str], int] = estimate_tokens
) -> list[Passage]:
    """Whole passages, best first, whose tokens stay within `budget`. Pure.

    A passage that does not fit is passed over and a shorter one behind it may still be taken.
    """
    taken, left = [], budget
    for passage in passages:
        cost = count(passage.chunk.embedded)
        if cost <= left:
            taken.append(passage)
            left -= cost
    return taken


class Retriever:
    """Searches the collections below `root`; `default` is the one searched when none is named.

    Models and collections stay loaded. A newly published version is opened at the next search.
    """

    def __init__(self, root: Path, default: str) -> None:
        self.root = root
        self.default = default
        self._open: dict[str, store.Collection] = {}
        self._models: dict[str, embedding.Embedder] = {}
        self._lock = threading.Lock()

    def collection(self, name: str | None = None) -> store.Collection:
        """The present version of a collection.

        Raises ToolkitError where it is missing or damaged.
        """
        entry = store.require(self.root, name or self.default)
        with self._lock:
            held = self._open.get(entry.name)
            if held is None or held.manifest != entry:
                held = self._open[entry.name] = store.Collection(self.root, entry)
            return held

    def embedder(self, name: str) -> embedding.Embedder:
        """The model that a collection records."""
        with self._lock:
            if name not in self._models:
                self._models[name] = embedding.load(name)
            return self._models[name]

    def search(self, request: SearchRequest) -> list[Passage]:
        """Passages for a question, best first, at most `top_k`.

        The canon rules choose what is ranked, and are asked again of what is returned. Raises
        ToolkitError where the collection or its model cannot be had.
        """
        if not request.query.strip():
            return []
        collection = self.collection(request.collection)
        embedder = self.embedder(collection.manifest.model)
        if embedder.dimension != collection.manifest.dimension:
            name = collection.manifest.name
            raise ToolkitError(
                f"Collection {name!r} has {collection.manifest.dimension} dimensions, its model "
                f"{embedder.dimension}.",
                f"Build it anew: RAG/2_embed_and_store.py --collection {name} --rebuild",
            )
        limit = request.top_k or int(setting("TOP_K"))
        found = collection.query(
            embedder.encode_query(request.query), limit, self._allowed(collection, request)
        )
        passages = [
            Passage(collection.chunks[id_], score, f"dense {score:.2f}") for id_, score in found
        ]
        return [p for p in passages if visible(p.chunk.note, request.as_of, request.pov)]

    @staticmethod
    def _allowed(collection: store.Collection, request: SearchRequest) -> list[str] | None:
        if request.as_of is None and request.pov is None:
            return None
        return [
            id_
            for id_, chunk in collection.chunks.items()
            if visible(chunk.note, request.as_of, request.pov)
        ]
