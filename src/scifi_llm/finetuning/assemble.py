"""A manuscript as records of three splits that share no text, and their ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ToolkitError
from .counting import TokenCounter
from .cutting import SEPARATOR, Piece, cut
from .forms import Record, record
from .leakage import TOLERATED, N, all_grams, repeated_paragraphs
from .ledger import check_leakage, make_ledger
from .manuscript import Chapter, Manuscript, Place, Removed
from .splitting import SPLITS, split_units, units_of


@dataclass(frozen=True)
class Plan:
    """How to prepare: the options of 1_prepare_data.py."""

    form: str = "raw"
    seed: int = 7
    max_tokens: int = 1984
    split_by: str = "chapter"
    held_out: float = 0.1
    together: bool = False


def assemble(
    manuscript: Manuscript, plan: Plan, counter: TokenCounter
) -> tuple[dict[str, list[Record]], dict[str, Any]]:
    """(records of each split, ledger).

    Raises ToolkitError where there is too little text, or where one split repeats another.
    """
    removed = list(manuscript.removed)
    units = units_of(manuscript.chapters, plan.split_by)
    if plan.together:
        units = join_copies(units)
    splits = split_units(units, plan.held_out, plan.seed, lambda c: counter.count(_text(c)))
    runs = without_repeats(splits, removed)
    records: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for split, piece in _cut_all(runs, plan, counter, removed):
        records[split].append(record(piece, plan.form, counter, plan.seed))
    check_leakage(records)
    ledger = make_ledger(records, removed, counter) | {
        "format": plan.form,
        "seed": plan.seed,
        "max_tokens": plan.max_tokens,
        "split_by": plan.split_by,
        "chapters": {split: [chapter.name for chapter in splits[split]] for split in SPLITS},
    }
    return records, ledger


def _text(chapter: Chapter) -> str:
    return SEPARATOR.join(place.text for place in chapter.places)


def join_copies(units: Sequence[list[Chapter]]) -> list[list[Chapter]]:
    """The units, those that repeat each other joined to one: drafts of one chapter, say."""
    groups: list[tuple[set[int], list[Chapter]]] = []
    for unit in units:
        own = all_grams(_text(chapter) for chapter in unit)
        same = [group for group in groups if _copies(own, group[0])]
        groups = [group for group in groups if group not in same]
        chapters = [chapter for group in same for chapter in group[1]] + unit
        groups.append((own.union(*(group[0] for group in same)), chapters))
    return [chapters for _, chapters in groups]


def _copies(one: set[int], other: set[int]) -> bool:
    return len(one & other) >= TOLERATED * max(1, min(len(one), len(other)))


def without_repeats(
    splits: dict[str, list[Chapter]], removed: list[Removed]
) -> dict[str, list[list[Chapter]]]:
    """Each held-out chapter as the runs of paragraphs that repeat no other split.

    Raises ToolkitError where so much of one is repeated that it stands in the manuscript twice.
    """
    runs = {"train": [[chapter] for chapter in splits["train"]]}
    known = all_grams(_text(chapter) for chapter in splits["train"])
    for split in ("test", "validation"):
        runs[split] = [_runs(chapter, known, removed, splits) for chapter in splits[split]]
        known |= all_grams(_text(run) for parts in runs[split] for run in parts)
    return runs


def _runs(
    chapter: Chapter, known: set[int], removed: list[Removed], splits: dict[str, list[Chapter]]
) -> list[Chapter]:
    repeated = repeated_paragraphs([place.text for place in chapter.places], known)
    pairs = list(zip(chapter.places, repeated, strict=True))
    words = sum(len(place.text.split()) for place, again in pairs if again)
    if words >= TOLERATED * max(1, chapter.words) and words >= N:
        raise ToolkitError(
            f"Leakage: {words / chapter.words:.0%} of the held-out {chapter.name} stands also in "
            f"{_twin(chapter, splits)}.",
            "Remove one of the two, or keep copies in one split: --together",
        )
    found: list[list[Place]] = [[]]
    for place, again in pairs:
        if again:
            removed.append(Removed(chapter.source, place.text, "repeats another split"))
            found.append([])
        else:
            found[-1].append(place)
    return [replace(chapter, places=tuple(places)) for places in found if places]


def _twin(chapter: Chapter, splits: dict[str, list[Chapter]]) -> str:
    own = all_grams([_text(chapter)])
    others = [other for chapters in splits.values() for other in chapters if other != chapter]
    return max(others, key=lambda other: len(own & all_grams([_text(other)]))).name


def _cut_all(
    runs: dict[str, list[list[Chapter]]],
    plan: Plan,
    counter: TokenCounter,
    removed: list[Removed],
) -> Iterator[tuple[str, Piece]]:
    """(split, piece) of everything; pieces are numbered through their chapter."""
    for split, chapters in runs.items():
        for parts in chapters:
            pieces: list[Piece] = []
            for part in parts:
                made, marks = cut(part, plan.max_tokens, counter.count, plan.form == "raw")
                pieces += made
                removed += [Removed(part.source, place.text, "scene mark") for place in marks]
            for i, piece in enumerate(pieces, start=1):
                yield split, replace(piece, number=i, count=len(pieces))
