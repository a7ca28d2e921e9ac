"""Whole chapters, or whole books, to train, validation and test. Pure; the seed decides."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from ..errors import ToolkitError
from .manuscript import Chapter

SPLITS = ("train", "validation", "test")
LEAST = 3  # units: one for each split


def units_of(chapters: Sequence[Chapter], by: str) -> list[list[Chapter]]:
    """What is not divided between splits: each chapter, or with "book" each file."""
    units: dict[str, list[Chapter]] = {}
    for i, chapter in enumerate(chapters):
        units.setdefault(chapter.source if by == "book" else str(i), []).append(chapter)
    return list(units.values())


def split_units(
    units: Sequence[list[Chapter]], share: float, seed: int, size: Callable[[Chapter], int]
) -> dict[str, list[Chapter]]:
    """Chapters of each split, in reading order.

    Validation and test are each about `share` of the text by `size`, and at least one unit.
    Raises ToolkitError where there are fewer than three units.
    """
    if len(units) < LEAST:
        raise ToolkitError(
            f"Only {len(units)} of the three parts needed were found: one each for train, "
            "validation and test.",
            "Add more text, mark its chapters with headings, or split by chapter.",
        )
    sizes = [sum(size(chapter) for chapter in unit) for unit in units]
    order = list(range(len(units)))
    random.Random(seed).shuffle(order)
    target = share * sum(sizes)
    test = _chosen(order, sizes, target, leave=2)
    validation = _chosen([i for i in order if i not in test], sizes, target, leave=1)
    found: dict[str, list[Chapter]] = {split: [] for split in SPLITS}
    for i, unit in enumerate(units):
        found["test" if i in test else "validation" if i in validation else "train"] += unit
    return found


def _chosen(order: list[int], sizes: list[int], target: float, leave: int) -> list[int]:
    """Units, in the given order, up to about `target`; at least one, and `leave` are left."""
    chosen: list[int] = []
    total = 0
    for i in order:
        if len(order) - len(chosen) <= leave or total >= target:
            break
        if total + sizes[i] <= 1.5 * target:
            chosen.append(i)
            total += sizes[i]
    return chosen or [min(order, key=lambda i: sizes[i])]
