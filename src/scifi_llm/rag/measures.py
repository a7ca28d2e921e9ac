"""Measures of a ranking against judged relevance, and their uncertainty. Pure.

nDCG: Järvelin and Kekäläinen 2002, with the gain itself in the numerator as trec_eval has it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

Id = TypeVar("Id", bound=Hashable)


def ndcg(ranking: Sequence[Id], relevance: Mapping[Id, float], depth: int) -> float:
    """Normalised discounted cumulative gain of the first `depth`, from 0 to 1."""
    gains = [relevance.get(id_, 0.0) for id_ in ranking[:depth]]
    ideal = sorted(relevance.values(), reverse=True)[:depth]
    best = _dcg(ideal)
    return _dcg(gains) / best if best else 0.0


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def recall(ranking: Sequence[Id], relevance: Mapping[Id, float], depth: int) -> float:
    """Share of the relevant that is among the first `depth`."""
    wanted = {id_ for id_, gain in relevance.items() if gain > 0}
    return len(wanted & set(ranking[:depth])) / len(wanted) if wanted else 0.0


def hit(ranking: Sequence[Id], relevance: Mapping[Id, float], depth: int) -> float:
    """1.0 where something relevant is among the first `depth`, else 0.0."""
    return float(any(relevance.get(id_, 0.0) > 0 for id_ in ranking[:depth]))


def reciprocal_rank(ranking: Sequence[Id], relevance: Mapping[Id, float], depth: int) -> float:
    """1 / place of the first relevant one among the first `depth`, else 0.0."""
    for place, id_ in enumerate(ranking[:depth], start=1):
        if relevance.get(id_, 0.0) > 0:
            return 1.0 / place
    return 0.0


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; 0.0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def interval(
    values: Sequence[float],
    statistic: Callable[[Sequence[float]], float] = mean,
    samples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """The 95 % interval of a statistic over queries, by the percentile bootstrap (Efron 1979)."""
    if not values:
        return 0.0, 0.0
    chance = random.Random(seed)
    drawn = sorted(statistic(chance.choices(values, k=len(values))) for _ in range(samples))
    return drawn[int(0.025 * samples)], drawn[int(0.975 * samples) - 1]
