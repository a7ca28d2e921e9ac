"""Means with bootstrap intervals, and an order of models that claims no more than they allow."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

RESAMPLES = 2000
LEVEL = 0.95


def bootstrap(values: Sequence[float], seed: int = 1) -> dict[str, float | int | None]:
    """Mean and percentile bootstrap interval (Efron 1979) of LEVEL; no interval below 3 values."""
    if not values:
        return {"mean": None, "low": None, "high": None, "n": 0}
    mean = sum(values) / len(values)
    if len(values) < 3:
        return {"mean": round(mean, 4), "low": None, "high": None, "n": len(values)}
    rng, count = random.Random(seed), len(values)
    means = sorted(sum(rng.choices(values, k=count)) / count for _ in range(RESAMPLES))
    cut = int((1 - LEVEL) / 2 * RESAMPLES)
    return {
        "mean": round(mean, 4),
        "low": round(means[cut], 4),
        "high": round(means[-1 - cut], 4),
        "n": count,
    }


def ranks(
    estimates: Mapping[str, Mapping[str, float | int | None]], high_is_good: bool
) -> dict[str, int | None]:
    """Rank of each name: 1 + the number of names whose interval lies wholly on the better side.

    Names whose intervals overlap may share a rank. None where there is no interval.
    """
    known = {
        name: (low, high)
        for name, e in estimates.items()
        if (low := e.get("low")) is not None and (high := e.get("high")) is not None
    }

    def better(a: tuple[float, float], b: tuple[float, float]) -> bool:
        return a[0] > b[1] if high_is_good else a[1] < b[0]

    return {
        name: 1 + sum(better(other, known[name]) for other in known.values())
        if name in known
        else None
        for name in estimates
    }
