"""From the scores of each route to a list of passages. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .chunking import Chunk
from .passages import Dropped, Passage

if TYPE_CHECKING:
    import numpy as np

# BM25's weight against the cosine is decided for each question by the share of its words that the
# best passage has: (share, weight) at the two ends, a straight line between them. A third of the
# words is shared by chance; who has most of them is what was asked for.
CHANCE, FOUND = (0.3, 0.2), (0.6, 0.8)
# A follow-up says too little by itself for its meaning to count as much as the words around it.
LEANING = 0.7
NAMED = 0.3  # for a note whose name is the whole question; a name that is part of it has its part
SAME = 0.985  # cosine above which two chunks say the same
POOL = 100  # chunks that are looked at for duplicates and neighbours
LONGEST = 3  # neighbouring chunks in one passage: about 400 tokens of a budget of 2,000


@dataclass(frozen=True)
class Routes:
    """Scores of every chunk by each route, arrays of shape (chunks,); None: the route is off."""

    dense: np.ndarray | None
    lexical: np.ndarray | None
    named: np.ndarray | None

    def fused(self, weight: float) -> np.ndarray:
        """A cosine, a share of BM25's bound with its `weight`, and a share for names, added up.

        The first two are absolute, so that a route that finds nothing adds nothing (Bruch, Gai and
        Ingber 2023). With one of them off, the other stands alone.
        """
        import numpy as np

        parts: list[tuple[float, np.ndarray | None]] = [
            (1.0 if self.lexical is None else 1 - weight, self.dense),
            (1.0 if self.dense is None else weight, self.lexical),
            (NAMED, self.named),
        ]
        total: np.ndarray = np.sum([w * part for w, part in parts if part is not None], axis=0)
        return total


def lexical_weight(best_share: float, leaning: bool) -> float:
    """BM25's weight for a question whose best passage has `best_share` of its words."""
    if leaning:
        return LEANING
    (low, least), (high, most) = CHANCE, FOUND
    place = min(max((best_share - low) / (high - low), 0.0), 1.0)
    return least + (most - least) * place


def best_rows(scores: np.ndarray, allowed: np.ndarray, limit: int) -> list[int]:
    """The rows of the highest scores among `allowed`, best first, ties in row order."""
    import numpy as np

    rows = np.flatnonzero(allowed)
    limit = min(limit, len(rows))
    if not limit:
        return []
    found = scores[rows]
    least = np.partition(found, -limit)[-limit]
    rows = rows[found >= least]
    return [int(row) for row in rows[np.argsort(-scores[rows], kind="stable")][:limit]]


def without_duplicates(
    rows: Sequence[int], matrix: np.ndarray, chunks: Sequence[Chunk]
) -> tuple[list[int], dict[int, int]]:
    """Rows that say something new, in order; and row -> the earlier row that says the same.

    The same is: equal words, or a cosine of at least SAME between texts of like length.
    """
    import numpy as np

    if not rows:
        return [], {}
    vectors = matrix[list(rows)]
    alike = np.tril(vectors @ vectors.T >= SAME, -1)
    plain = [" ".join(chunks[row].text.split()) for row in rows]
    kept: list[int] = []
    same: dict[int, int] = {}
    first: dict[str, int] = {}
    for i, row in enumerate(rows):
        twin = first.get(plain[i])
        for j in map(int, np.flatnonzero(alike[i])):
            long, short = sorted((len(plain[i]), len(plain[j])), reverse=True)
            if twin is None and rows[j] not in same and short > 0.8 * long:
                twin = rows[j]
        if twin is None:
            first[plain[i]] = row
            kept.append(row)
        else:
            same[row] = twin
    return kept, same


def neighbours(a: Chunk, b: Chunk) -> bool:
    """Does `b` follow `a` in the same section?"""
    return a.note == b.note and a.heading == b.heading and 0 <= b.start - a.end <= 20


def merged(rows: Sequence[int], chunks: Sequence[Chunk]) -> list[list[int]]:
    """Runs of neighbouring rows, each at the place of its best row, at most LONGEST long."""
    run_of: dict[int, list[int]] = {}
    runs: list[list[int]] = []
    for row in rows:
        before, after = run_of.get(row - 1), run_of.get(row + 1)
        joins_before = before is not None and neighbours(chunks[row - 1], chunks[row])
        joins_after = after is not None and neighbours(chunks[row], chunks[row + 1])
        target = before if joins_before else after if joins_after else None
        if target is None or len(target) >= LONGEST:
            run_of[row] = [row]
            runs.append(run_of[row])
        else:
            target.append(row)
            target.sort()
            run_of[row] = target
    return runs


def reason(routes: Mapping[str, Any]) -> str:
    """The routes in words: "name Elena Ruhl, bm25 0.61, dense 0.48"."""
    parts = [
        f"{route} {value:.2f}" if isinstance(value, float) else f"{route} {value}"
        for route, value in routes.items()
    ]
    return ", ".join(parts)


def passages(
    collection: str,
    runs: Sequence[Sequence[int]],
    chunks: Sequence[Chunk],
    score: Callable[[int], float],
    routes: Callable[[int], dict[str, Any]],
) -> list[Passage]:
    """Runs of rows as passages, with the score and the routes of each run's best row."""
    found = []
    for run in runs:
        best = max(run, key=score)
        why = routes(best)
        found.append(
            Passage(collection, tuple(chunks[row] for row in run), score(best), reason(why), why)
        )
    return found


def duplicates(
    collection: str,
    same: Mapping[int, int],
    chunks: Sequence[Chunk],
    score: Callable[[int], float],
) -> list[Dropped]:
    """What was left out because something better says the same."""
    return [
        Dropped(
            Passage(collection, (chunks[row],), score(row), "duplicate"),
            f"says the same as {chunks[twin].note.path}",
        )
        for row, twin in same.items()
    ]
