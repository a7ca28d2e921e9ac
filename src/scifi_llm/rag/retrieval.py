"""Search: the passages of collections that a question needs, under the canon rules."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ToolkitError
from ..settings import setting
from . import embedding, store
from .canon import visible
from .corpus import Corpus
from .passages import Dropped, Found, Passage, Rerank, SearchRequest
from .question import question
from .scoring import ROUTES, CorpusSearch

if TYPE_CHECKING:
    import numpy as np

KEPT_VECTORS = 512  # earlier turns of running chats: each is embedded once
FRESH_SECONDS = 1.0  # a search waits this long for a version that was just published


class Retriever:
    """Searches the collections below `root`; `default` is the one searched when none is named.

    Models and collections stay loaded. A newly published version is searched as soon as it is
    loaded, which is at once for a small collection; until then the one before it answers.
    `routes` switches parts off for measurements. `rerank` reorders the best passages.
    """

    def __init__(
        self,
        root: Path,
        default: str,
        routes: frozenset[str] = ROUTES,
        rerank: Rerank | None = None,
    ) -> None:
        self.root = root
        self.default = default
        self.routes = routes
        self.rerank = rerank
        self._open: dict[str, Corpus] = {}
        self._loading: dict[str, threading.Thread] = {}
        self._models: dict[str, embedding.Embedder] = {}
        self._vectors: OrderedDict[tuple[str, str], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def collection(self, name: str | None = None) -> Corpus:
        """The present version of a collection.

        Raises ToolkitError where it is missing or damaged.
        """
        entry = store.require(self.root, name or self.default)
        held = self._open.get(entry.name)
        if held is not None and held.manifest == entry:
            return held
        if held is None:
            with self._lock:
                if entry.name not in self._open:
                    self._open[entry.name] = Corpus(store.Collection(self.root, entry))
            return self._open[entry.name]
        self._load_beside(entry)
        return self._open[entry.name]

    def _load_beside(self, entry: store.Manifest) -> None:
        def load() -> None:
            try:
                self._open[entry.name] = Corpus(store.Collection(self.root, entry))
            except ToolkitError as error:
                failed.append(error)

        failed: list[ToolkitError] = []
        with self._lock:
            thread = self._loading.get(entry.name)
            if thread is None or not thread.is_alive():
                thread = threading.Thread(target=load, name=f"load {entry.name}", daemon=True)
                self._loading[entry.name] = thread
                thread.start()
        thread.join(FRESH_SECONDS)
        if failed:
            raise failed[0]

    def embedder(self, name: str) -> embedding.Embedder:
        """The model that a collection records."""
        with self._lock:
            if name not in self._models:
                self._models[name] = embedding.load(name)
            return self._models[name]

    def warm_up(self) -> None:
        """Load what a search needs, so that the first one is as fast as the others."""
        corpus = self.collection()
        self.embedder(corpus.manifest.model).encode_query("warm-up")

    def search(self, request: SearchRequest) -> Found:
        """The passages of a question, best first, at most `top_k`.

        The canon rules choose what is ranked, and are asked again of what is returned, whichever
        route brought it. Raises ToolkitError where a collection or its model cannot be had.
        """
        if not request.query.strip():
            return Found("", [])
        asked = question(request.query, request.history)
        limit = request.top_k or int(setting("TOP_K"))
        found: list[Passage] = []
        related: list[Passage] = []
        dropped: list[Dropped] = []
        for name in dict.fromkeys(request.collections or (self.default,)):
            search = CorpusSearch(self.collection(name), asked, request, self.routes, self.vector)
            found += search.ranked()
            related += search.related(found[:limit])
            dropped += search.dropped
        # Scores are absolute, so those of several collections compare; sorting is stable.
        found.sort(key=lambda passage: -passage.score)
        if self.rerank:
            found = self.rerank(request.query, found)
        found, hidden = _shown(found, request)
        related, _ = _shown(related, request)
        kept = [*found[:limit], *related][: request.top_k]
        late = [Dropped(passage, f"below the best {limit}") for passage in found[limit:]]
        return Found(request.query, kept, [*dropped, *late, *hidden])

    def always(self, request: SearchRequest) -> list[Passage]:
        """The notes marked `always` that the rules show, in the order of their paths."""
        found = []
        for name in dict.fromkeys(request.collections or (self.default,)):
            corpus = self.collection(name)
            for path in sorted(path for path, note in corpus.notes.items() if note.always):
                chunks = [corpus.chunks[row] for row in corpus.rows_of[path]]
                found += [Passage(name, (c,), 1.0, "always", {"always": True}) for c in chunks]
        return _shown(found, request)[0]

    def vector(self, entry: store.Manifest, text: str) -> np.ndarray:
        """The vector of a query to a collection, kept for the turns that follow it.

        Raises ToolkitError where the model's vectors are not like the collection's.
        """
        key = (entry.model, text)
        found = self._vectors.get(key)
        if found is None:
            embedder = self.embedder(entry.model)
            if embedder.dimension != entry.dimension:
                raise ToolkitError(
                    f"Collection {entry.name!r} has {entry.dimension} dimensions, its model "
                    f"{embedder.dimension}.",
                    store.rebuild(entry.name),
                )
            found = self._vectors[key] = embedder.encode_query(text)
            while len(self._vectors) > KEPT_VECTORS:
                self._vectors.popitem(last=False)
        return found


def _shown(
    passages: Sequence[Passage], request: SearchRequest
) -> tuple[list[Passage], list[Dropped]]:
    """The last gate of the canon rules: (what may be seen, what may not)."""
    kept: list[Passage] = []
    for passage in passages:
        if all(visible(chunk.note, request.as_of, request.pov) for chunk in passage.chunks):
            kept.append(passage)
    # Hidden passages are counted by no one: telling of them would tell what they hide.
    return kept, []
