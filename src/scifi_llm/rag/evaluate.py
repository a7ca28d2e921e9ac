"""How well a collection is searched: the proxy's own code and settings, measured on questions."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..console import progress
from ..settings import setting
from . import embedding, index, lexical, measures, question, ranking, scoring, store
from .chunking import chunk_sections
from .dataset import Dataset, Query, is_hit
from .passages import Passage, fit_budget
from .retrieval import Retriever
from .tokens import estimate

DEPTH = 100  # passages that are asked for, so that ten documents are among them
MEASURES = ("ndcg@10", "recall@5", "recall@10", "mrr@10", "hit@1", "hit@5", "hit@10")
ALONE = {
    "all": scoring.ROUTES,
    "bm25": frozenset({"bm25"}),
    "dense": frozenset({"dense"}),
}
ABLATIONS = {f"without {route}": scoring.ROUTES - {route} for route in sorted(scoring.ROUTES)}


@dataclass
class Scores:
    """A value for each query, in the order of the queries, by the name of the measure.

    `found` holds for each query's id the chunk ids of the passages that were found, best first.
    """

    values: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    leaks: int = 0
    found: dict[str, list[str]] = field(default_factory=dict)

    def mean(self, name: str) -> float | None:
        """The mean of a measure, rounded; None where it does not apply."""
        values = self.values.get(name)
        return round(measures.mean(values), 4) if values else None

    def latency_ms(self) -> dict[str, float]:
        """Median and 95th percentile of a search, embedding the question included."""
        ordered = sorted(self.seconds) or [0.0]
        return {
            f"p{share}": round(
                1000 * ordered[min(len(ordered) * share // 100, len(ordered) - 1)], 2
            )
            for share in (50, 95)
        }


def settings_hash() -> str:
    """A hash of every setting that a ranking depends on, the same for all sets of one run."""
    parts = {
        "cuts": index.settings(),
        "bm25": [lexical.K1, lexical.B, lexical.PAIRED, lexical.FORMAT],
        "turns": [
            question.USER_TURNS,
            question.ASSISTANT_TURNS,
            question.ASSISTANT_MEANING,
            question.LONGEST_TURN,
        ],
        "fusion": [ranking.CHANCE, ranking.FOUND, ranking.LEANING, ranking.NAMED],
        "passages": [ranking.SAME, ranking.POOL, ranking.LONGEST],
        "merge": scoring.MERGE_WITHIN,
        "related": scoring.RELATED,
        "limits": [setting("TOP_K"), setting("BUDGET_TOKENS")],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def build(dataset: Dataset, root: Path, model: str) -> tuple[int, float]:
    """Index a set as a collection below `root`: (chunks, chunks embedded a second)."""
    embedder = embedding.load(model, bulk=True)
    chunks = chunk_sections(dataset.sections, embedder.tokens, index.TARGET_TOKENS)
    started = time.perf_counter()
    vectors = embedder.encode_documents([chunk.embedded for chunk in chunks])
    rate = len(chunks) / (time.perf_counter() - started)
    name = collection_name(dataset)
    entry = replace(index.describe(name, embedder, "data", ""), server="")
    with store.writing(root, name):
        store.publish(root, entry, store.Contents(chunks, vectors, {}))
    return len(chunks), rate


def collection_name(dataset: Dataset) -> str:
    """A name that the store takes."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in dataset.name)
    return f"set-{plain.strip('-') or 'x'}"


def measure(
    retriever: Retriever,
    queries: Sequence[Query],
    label: str = "",
    leaks: Callable[[Query, Passage], bool] = lambda query, passage: False,
) -> Scores:
    """Ask every question and compare what comes with what is relevant."""
    scores = Scores(kinds=[query.kind for query in queries])
    asked: Iterable[Query] = (
        progress(queries, len(queries), label, "questions") if label else queries
    )
    for query in asked:
        started = time.perf_counter()
        usual = retriever.search(query.request)
        scores.seconds.append(time.perf_counter() - started)
        ids = [chunk.id for passage in usual.passages for chunk in passage.chunks]
        scores.found[query.id] = ids
        deep = retriever.search(replace(query.request, top_k=DEPTH)).passages
        scores.leaks += any(leaks(query, passage) for passage in [*usual.passages, *deep])
        for name, value in judged(query, deep).items():
            scores.values.setdefault(name, []).append(value)
        sent, _ = fit_budget(usual.passages, int(setting("BUDGET_TOKENS")), estimate)
        inside = float(any(is_hit(passage, query) for passage in sent))
        scores.values.setdefault("evidence_in_budget", []).append(inside)
    return scores


def judged(query: Query, passages: Sequence[Passage]) -> dict[str, float]:
    """Every measure of one ranking: of passages for evidence, else of their documents."""
    if query.by_evidence:
        hits = [is_hit(passage, query) for passage in passages]
        found = {f"hit@{depth}": float(any(hits[:depth])) for depth in (1, 5, 10)}
        first = next((1 / place for place, good in enumerate(hits[:10], start=1) if good), 0.0)
        return {**found, "mrr@10": first}
    ranked = list(dict.fromkeys(passage.chunk.note.path for passage in passages))
    relevance = {entry.document: entry.relevance for entry in query.relevant}
    return {
        "ndcg@10": measures.ndcg(ranked, relevance, 10),
        "recall@5": measures.recall(ranked, relevance, 5),
        "recall@10": measures.recall(ranked, relevance, 10),
        "mrr@10": measures.reciprocal_rank(ranked, relevance, 10),
        **{f"hit@{depth}": measures.hit(ranked, relevance, depth) for depth in (1, 5, 10)},
    }


def report(scores: Scores) -> dict[str, Any]:
    """Every measure of the contract; null where it does not apply."""
    return {
        **{name: scores.mean(name) for name in (*MEASURES, "evidence_in_budget")},
        "latency_ms": scores.latency_ms(),
    }


def intervals(scores: Scores) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each measure over the questions."""
    return {
        name: (round(low, 4), round(high, 4))
        for name, values in scores.values.items()
        for low, high in [measures.interval(values)]
    }


def by_kind(scores: Scores) -> dict[str, dict[str, Any]]:
    """Every measure for each kind of question."""
    found = {}
    for kind in dict.fromkeys(scores.kinds):
        places = [place for place, other in enumerate(scores.kinds) if other == kind]
        means = {
            name: round(measures.mean([values[place] for place in places]), 4)
            for name, values in scores.values.items()
        }
        found[kind or "all"] = {"queries": len(places), **means}
    return found
