"""What was counted in the last minute: intervals between scrapes, their sum, rates over time."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from ..metrics import Counts, total

WINDOW_S = 60.0
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Interval:
    """Between two scrapes: monotonic clock at the second one, seconds, what was counted."""

    end: float
    seconds: float
    counts: Counts

    def per_second(self, number: float) -> float:
        """The rate of what happened `number` times in the interval."""
        return number / self.seconds if self.seconds > 0 else 0.0

    def rate(self, key: str) -> float:
        """The rate of a plain count."""
        return self.per_second(self.counts.get((key, ""), 0.0))


class History:
    """The intervals that ended within the last WINDOW_S seconds; the newest one in any case."""

    def __init__(self) -> None:
        self._intervals: deque[Interval] = deque()

    def add(self, interval: Interval) -> None:
        """Take in the newest interval and forget what is too old."""
        self._intervals.append(interval)
        while len(self._intervals) > 1 and self._intervals[0].end <= interval.end - WINDOW_S:
            self._intervals.popleft()

    @property
    def last(self) -> Interval | None:
        """The newest interval."""
        return self._intervals[-1] if self._intervals else None

    def seconds(self) -> float:
        """How much time the window covers."""
        return sum(interval.seconds for interval in self._intervals)

    def counts(self) -> Counts:
        """What was counted in the window."""
        return total([interval.counts for interval in self._intervals])

    def peak(self, key: str) -> float:
        """The highest rate of an interval of the window."""
        return max((interval.rate(key) for interval in self._intervals), default=0.0)

    def rates(self, key: str, now: float, cells: int) -> list[float | None]:
        """Per-second rates of the WINDOW_S before `now`, in `cells` equal slices, oldest first.

        None where nothing is known of a slice.
        """
        width = WINDOW_S / cells
        first = now - WINDOW_S
        sums, covered = [0.0] * cells, [0.0] * cells
        for interval in self._intervals:
            low, high = interval.end - interval.seconds, interval.end
            for cell in range(cells):
                start = first + cell * width
                shared = min(high, start + width) - max(low, start)
                if shared > 0:
                    sums[cell] += interval.rate(key) * shared
                    covered[cell] += shared
        # Scrapes do not fall on the slices' borders: a sliver is no knowledge of a slice.
        return [s / c if c > width / 100 else None for s, c in zip(sums, covered, strict=True)]


def sparkline(values: list[float | None], top: float) -> str:
    """One character a value: a bar as high as its share of `top`, a space for None.

    The lowest bar is zero and nothing else, so that a little is told from nothing.
    """
    highest = len(BARS) - 1

    def level(value: float) -> int:
        return (
            min(highest, max(1, math.ceil(value / top * highest))) if value > 0 and top > 0 else 0
        )

    return "".join(" " if value is None else BARS[level(value)] for value in values)
