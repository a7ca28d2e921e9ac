"""How far a text is from an author: cosine Delta (Smith & Aldridge 2011; Evert et al. 2017). Pure.

The frequencies of the most frequent words, each as its distance from the mean in standard
deviations; then 1 - cosine of two such profiles. 0: the same; about 1: unrelated. Over the 300 most
frequent words it tells authors apart in 94.5 % of pairs at 500 words, in all at 2,000.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import fmean

FEATURES = 300
SLICE_WORDS = 2000

Words = Sequence[str]
Profile = tuple[float, ...]


def slices(words: Words, size: int = SLICE_WORDS) -> list[Words]:
    """Consecutive slices of `size` words; a shorter rest is left out unless it is all there is."""
    cuts = [words[i : i + size] for i in range(0, len(words), size)]
    return [cut for cut in cuts if len(cut) == size] or cuts[:1]


class Delta:
    """Profiles against a reference: groups of texts, one for each author, that all weigh the same.

    Were the author's own many texts to weigh more, the mean would be theirs, and what is typical of
    them would stand at zero.
    """

    def __init__(self, groups: Sequence[Sequence[Words]], features: int = FEATURES) -> None:
        totals: dict[str, float] = defaultdict(float)
        for group in groups:
            counts = Counter(word for words in group for word in words)
            size = max(1, counts.total())
            for word, count in counts.items():
                totals[word] += count / size
        # Ties by the alphabet, so that the same texts always give the same words.
        ranked = sorted(totals, key=lambda word: (-totals[word], word))[:features]
        rows = [[_shares(words, ranked) for words in group] for group in groups]
        columns = [[[row[i] for row in group] for group in rows] for i in range(len(ranked))]
        means = [fmean(map(fmean, column)) for column in columns]
        spread = [_deviation(column, mean) for column, mean in zip(columns, means, strict=True)]
        kept = [i for i, value in enumerate(spread) if value > 0]
        self.words = [ranked[i] for i in kept]
        self._means = [means[i] for i in kept]
        self._spread = [spread[i] for i in kept]

    def profile(self, words: Words) -> Profile:
        """Each feature's share in standard deviations from the reference's mean."""
        shares = _shares(words, self.words)
        return tuple(
            (share - mean) / spread
            for share, mean, spread in zip(shares, self._means, self._spread, strict=True)
        )


def _deviation(column: Sequence[Sequence[float]], mean: float) -> float:
    """Standard deviation of values in groups of equal weight."""
    return math.sqrt(fmean(fmean((value - mean) ** 2 for value in group) for group in column))


def _shares(words: Words, features: Sequence[str]) -> list[float]:
    counts = Counter(words)
    total = max(1, len(words))
    return [counts[word] / total for word in features]


def centroid(profiles: Sequence[Profile]) -> Profile:
    """The mean profile."""
    return tuple(fmean(column) for column in zip(*profiles, strict=True))


def distance(one: Profile, other: Profile) -> float:
    """1 - cosine, from 0 to 2; 1 where one of them is all zero."""
    dot = math.fsum(a * b for a, b in zip(one, other, strict=True))
    norms = math.hypot(*one) * math.hypot(*other)
    return 1 - dot / norms if norms else 1.0


def left_out_distances(profiles: Sequence[Profile]) -> list[float]:
    """Each profile's distance from the centroid of the others: an author's own spread."""
    return [
        distance(profile, centroid([*profiles[:i], *profiles[i + 1 :]]))
        for i, profile in enumerate(profiles)
        if len(profiles) > 1
    ]
