"""Does a held-out text repeat training text? Shared runs of words, as for GPT-3 (13-grams). Pure.

Authors repeat themselves: a letter that is quoted twice, an epigraph, a refrain. Where less than
TOLERATED of a held-out chapter is such a repeat, its paragraphs are left out of the held-out split
and counted; where it is more, a chapter stands in the manuscript twice and the run must fail.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

N = 13
TOLERATED = 0.10
_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Words in lower case, without marks."""
    return [word.lower() for word in _WORD.findall(text.replace("_", " "))]


def grams(words: Sequence[str], n: int = N) -> set[int]:
    """Hashes of all runs of n words."""
    return {hash(tuple(words[i : i + n])) for i in range(len(words) - n + 1)}


def all_grams(texts: Iterable[str], n: int = N) -> set[int]:
    """Hashes of all runs of n words inside each of the texts."""
    found: set[int] = set()
    for text in texts:
        found |= grams(words_of(text), n)
    return found


def repeated_paragraphs(paragraphs: Sequence[str], known: set[int], n: int = N) -> list[bool]:
    """For each paragraph of a run whether to leave it out, so that no run of n words in `known` is
    left. Of paragraphs that share a run, the one with most of the repeated words goes.
    """
    words: list[str] = []
    owner: list[int] = []
    for i, paragraph in enumerate(paragraphs):
        own = words_of(paragraph)
        words += own
        owner += [i] * len(own)
    shared = [
        Counter(owner[i : i + n])
        for i in range(len(words) - n + 1)
        if hash(tuple(words[i : i + n])) in known
    ]
    found = [False] * len(paragraphs)
    while shared:
        totals = sum(shared, Counter[int]())
        worst = max(totals, key=lambda i: (totals[i], -i))
        found[worst] = True
        shared = [owners for owners in shared if worst not in owners]
    return found
