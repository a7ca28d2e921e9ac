"""What of a text stands word for word in the training text. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .leakage import words_of

N = 8  # a run of 8 words is rarely written twice by chance


class Corpus:
    """Training text, ready to be searched for what it shares with another."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._words: list[str] = []
        self._places: dict[tuple[str, ...], list[int]] = {}
        for text in texts:
            words = words_of(text)
            start = len(self._words)
            self._words += [*words, ""]  # "" is no word: no run goes from one text into the next
            for i in range(len(words) - N + 1):
                self._places.setdefault(tuple(words[i : i + N]), []).append(start + i)

    def copied_share(self, text: str) -> float:
        """Share of the text's runs of N words that stand in the corpus; 0 for a shorter text."""
        words = words_of(text)
        own = [tuple(words[i : i + N]) for i in range(len(words) - N + 1)]
        return sum(run in self._places for run in own) / len(own) if own else 0.0

    def longest_run(self, text: str) -> tuple[int, str]:
        """(words, text) of the longest run of words that stands in the corpus too.

        Runs shorter than N count as 0: they prove nothing.
        """
        words = words_of(text)
        best, at = 0, 0
        for i in range(len(words) - N + 1):
            for place in self._places.get(tuple(words[i : i + N]), ()):
                length = self._shared(words, i, place)
                if length > best:
                    best, at = length, i
        return best, " ".join(words[at : at + best])

    def _shared(self, words: Sequence[str], i: int, place: int) -> int:
        length = N
        while i + length < len(words) and self._words[place + length] == words[i + length]:
            length += 1
        return length
