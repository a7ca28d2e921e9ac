"""Search: the passages of a collection that a question needs, under the canon rules."""

from __future__ import annotations

import threading
from pathlib import Path

from ..errors import ToolkitError
from ..settings import setting
from . import embedding, store
from .canon import visible
from .passages import Dropped, Found, Passage, SearchRequest


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

    def search(self, request: SearchRequest) -> Found:
        """The passages of a question, best first, at most `top_k`.

        The canon rules choose what is ranked, and are asked again of what is returned. Raises
        ToolkitError where the collection or its model cannot be had.
        """
        if not request.query.strip():
            return Found("", [])
        limit = request.top_k or int(setting("TOP_K"))
        found: list[Passage] = []
        for name in request.collections or (self.default,):
            found += self._ranked(self.collection(name), request, limit)
        best = sorted(found, key=lambda passage: -passage.score)
        kept = [p for p in best if visible(p.chunk.note, request.as_of, request.pov)]
        rest = [Dropped(p, f"beyond the first {limit}") for p in kept[limit:]]
        return Found(request.query, kept[:limit], rest)

    def always(self, request: SearchRequest) -> list[Passage]:
        """The notes marked `always` that the rules show, in the order of their paths."""
        return [
            Passage(name, (chunk,), 1.0, "always", {"always": True})
            for name in request.collections or (self.default,)
            for chunk in self.collection(name).chunks.values()
            if chunk.note.always and visible(chunk.note, request.as_of, request.pov)
        ]

    def _ranked(
        self, collection: store.Collection, request: SearchRequest, limit: int
    ) -> list[Passage]:
        embedder = self.embedder(collection.manifest.model)
        if embedder.dimension != collection.manifest.dimension:
            name = collection.manifest.name
            raise ToolkitError(
                f"Collection {name!r} has {collection.manifest.dimension} dimensions, its model "
                f"{embedder.dimension}.",
                f"Build it anew: RAG/2_embed_and_store.py --collection {name} --rebuild",
            )
        name = collection.manifest.name
        allowed = [
            id_
            for id_, chunk in collection.chunks.items()
            if visible(chunk.note, request.as_of, request.pov)
            and f"{name}/{id_}" not in request.exclude
        ]
        found = collection.query(embedder.encode_query(request.query), limit, allowed)
        return [
            Passage(name, (collection.chunks[id_],), score, f"dense {score:.2f}", {"dense": score})
            for id_, score in found
        ]
