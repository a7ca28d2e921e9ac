"""One question to one collection: the score of every chunk by every route."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import ranking
from .corpus import Corpus
from .entities import Hit
from .lexical import pairs, query_weights
from .passages import Dropped, Passage, SearchRequest
from .question import Question, content
from .store import Manifest

if TYPE_CHECKING:
    import numpy as np

ROUTES = frozenset({"dense", "bm25", "names", "related"})
MERGE_WITHIN = 20  # only what would be sent anyway is joined with its neighbours
RELATED = 3  # notes that the best notes name as related


class CorpusSearch:
    """One question to one collection."""

    def __init__(
        self,
        corpus: Corpus,
        asked: Question,
        request: SearchRequest,
        routes: frozenset[str],
        vector: Callable[[Manifest, str], np.ndarray],
    ) -> None:
        import numpy as np

        self.corpus, self.routes = corpus, routes
        self.dropped: list[Dropped] = []
        self.allowed = corpus.shown(request.as_of, request.pov)
        given = corpus.rows_of_keys(request.exclude)
        if given:
            self.allowed = self.allowed.copy()
            self.allowed[given] = False
        if request.paths is not None:
            inside = np.zeros(len(corpus.chunks), dtype=bool)
            for path in request.paths & corpus.rows_of.keys():
                inside[corpus.rows_of[path]] = True
            self.allowed = self.allowed & inside
        self.hits: dict[int, str] = {}
        self.scores = self._scores(asked, vector)
        best = 0.0
        if self.scores.lexical is not None and self.allowed.any():
            best = float(self.scores.lexical[self.allowed].max())
        self.fused = self.scores.fused(ranking.lexical_weight(best, len(asked.words) > 1))

    def _scores(
        self, asked: Question, vector: Callable[[Manifest, str], np.ndarray]
    ) -> ranking.Routes:
        weights = query_weights([(content(text), weight) for text, weight in asked.words])
        dense = lexical = named = None
        if "dense" in self.routes:
            dense = self._dense(asked, vector)
        if "bm25" in self.routes:
            phrases = query_weights(list(asked.words), pairs)
            lexical = self.corpus.lexical.scores(weights, phrases)
        if "names" in self.routes:
            named = self._named(asked, weights)
        if dense is None and lexical is None and named is None:
            lexical = self.corpus.lexical.scores({})  # nothing is better than anything else
        return ranking.Routes(dense, lexical, named)

    def _dense(self, asked: Question, vector: Callable[[Manifest, str], np.ndarray]) -> np.ndarray:
        import numpy as np

        entry = self.corpus.manifest
        total = sum(weight * vector(entry, text) for text, weight in asked.meaning)
        unit = np.asarray(total / (np.linalg.norm(total) or 1.0), dtype=np.float32)
        scores: np.ndarray = self.corpus.matrix @ unit
        return scores

    def _named(self, asked: Question, weights: dict[str, float]) -> np.ndarray:
        import numpy as np

        lexical = self.corpus.lexical
        bound = lexical.bound(weights) or 1.0
        found: dict[Hit, float] = {}
        for text, weight in asked.words:
            for hit in self.corpus.names.find(text):
                share = sum(lexical.idf(term) for term in query_weights([(content(hit.name), 1.0)]))
                found[hit] = max(found.get(hit, 0.0), weight * share / bound)
        scores = np.zeros(len(self.corpus.chunks), dtype=np.float32)
        for hit, rows in self.corpus.named(found, self.allowed).items():
            for row in rows:
                if found[hit] > scores[row]:
                    scores[row] = found[hit]
                    self.hits[row] = hit.name
        return np.minimum(scores, 1.0)

    def ranked(self) -> list[Passage]:
        """The best passages: without duplicates, neighbours joined."""
        rows = ranking.best_rows(self.fused, self.allowed, ranking.POOL)
        kept, same = ranking.without_duplicates(rows, self.corpus.matrix, self.corpus.chunks)
        chunks = self.corpus.chunks
        runs = ranking.merged(kept[:MERGE_WITHIN], chunks)
        runs += [[row] for row in kept[MERGE_WITHIN:]]
        self.dropped += ranking.duplicates(self.corpus.name, same, chunks, self._score)
        return ranking.passages(self.corpus.name, runs, chunks, self._score, self._routes)

    def related(self, passages: Sequence[Passage]) -> list[Passage]:
        """The best chunk of each note that the found ones name as related, in their order."""
        if "related" not in self.routes:
            return []
        found = {passage.chunk.note.path for passage in passages}
        paths: dict[str, str] = {}
        for passage in passages:
            for title in passage.chunk.note.related:
                for path in self.corpus.titled(title):
                    if path not in found:
                        paths.setdefault(path, passage.chunk.note.title)
        result = []
        for path, title in paths.items():
            rows = [row for row in self.corpus.rows_of[path] if self.allowed[row]]
            if rows:
                best = max(rows, key=self._score)
                routes = {"related to": title, **self._routes(best)}
                chunk, why = self.corpus.chunks[best], ranking.reason(routes)
                result.append(Passage(self.corpus.name, (chunk,), self._score(best), why, routes))
        return result[:RELATED]

    def _score(self, row: int) -> float:
        return float(self.fused[row])

    def _routes(self, row: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if row in self.hits:
            found["name"] = self.hits[row]
        if self.scores.lexical is not None and self.scores.lexical[row] > 0:
            found["bm25"] = round(float(self.scores.lexical[row]), 4)
        if self.scores.dense is not None:
            found["dense"] = round(float(self.scores.dense[row]), 4)
        return found
