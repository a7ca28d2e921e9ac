"""Names: the titles and aliases of notes, found in a question exactly as whole words.

All names are searched for in one pass (Aho and Corasick 1975). A name of everyday words ("the
Well") counts only where the question writes it as the note does; any other in any spelling of case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..documents import Note
from .lexical import fold
from .question import FUNCTION_WORDS

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_POSSESSIVE = re.compile(r"['’]s$", re.I)


@dataclass(frozen=True)
class Hit:
    """A name that stands in a text: as the note writes it, and the paths of the notes it names."""

    name: str
    paths: frozenset[str]


@dataclass(frozen=True)
class _Name:
    written: str
    tokens: tuple[str, ...]  # as written
    paths: frozenset[str]
    everyday: bool


class Names:
    """The names of a collection."""

    def __init__(self, notes: Iterable[Note], texts: Iterable[str]) -> None:
        """`texts` is the collection's prose: words it has in lower case are everyday words."""
        import ahocorasick

        by_key: dict[str, dict[str, set[str]]] = {}
        for note in notes:
            for written in dict.fromkeys([note.title, *note.aliases]):
                key = " ".join(fold(token) for token in _tokens(written))
                if key and any(word not in FUNCTION_WORDS for word in key.split()):
                    by_key.setdefault(key, {}).setdefault(written, set()).add(note.path)
        common = _lower_case(texts, {word for key in by_key for word in key.split()})
        self._automaton: Any = ahocorasick.Automaton()
        for key, spellings in by_key.items():
            everyday = all(word in common or word in FUNCTION_WORDS for word in key.split())
            names = [
                _Name(written, tuple(_tokens(written)), frozenset(paths), everyday)
                for written, paths in spellings.items()
            ]
            self._automaton.add_word(f" {key} ", (len(key.split()), names))
        self._empty = not by_key
        if by_key:
            self._automaton.make_automaton()

    def find(self, text: str) -> list[Hit]:
        """The names in `text`, in order; one that is part of a longer name found is left out."""
        if self._empty:
            return []
        tokens = list(_tokens(text))
        found: list[tuple[int, int, Hit]] = []
        for first, last, names in self._matches(tokens):
            fitting = [name for name in names if _fits(name, tokens[first:last])]
            if fitting:
                paths = frozenset[str]().union(*(name.paths for name in fitting))
                found.append((first, last, Hit(fitting[0].written, paths)))
        hits = [
            hit
            for first, last, hit in found
            if not any(a <= first and last <= b and (a, b) != (first, last) for a, b, _ in found)
        ]
        return list(dict.fromkeys(hits))

    def _matches(self, tokens: Sequence[str]) -> Iterator[tuple[int, int, list[_Name]]]:
        line = " "
        ends: dict[int, int] = {}  # position of the blank behind a token -> tokens up to there
        for number, token in enumerate(tokens, start=1):
            line += fold(token) + " "
            ends[len(line) - 1] = number
        for end, (length, names) in self._automaton.iter(line):
            yield ends[end] - length, ends[end], names


def _tokens(text: str) -> Iterator[str]:
    for token in _TOKEN.findall(text):
        yield _POSSESSIVE.sub("", token)


def _fits(name: _Name, tokens: Sequence[str]) -> bool:
    """Everyday words must be written as in the note; a capital may start a sentence."""
    if not name.everyday:
        return True
    return all(
        ours == theirs or (number == 0 and ours.lower() == theirs.lower() and len(tokens) > 1)
        for number, (ours, theirs) in enumerate(zip(name.tokens, tokens, strict=True))
    )


def _lower_case(texts: Iterable[str], wanted: set[str]) -> set[str]:
    """Those of the folded words `wanted` that some text has in lower case."""
    found: set[str] = set()
    for text in texts:
        found.update(
            word for word in {*_TOKEN.findall(text)} - found if word in wanted and word.islower()
        )
    return found


def by_path(hits: Mapping[Hit, float]) -> dict[str, tuple[float, str]]:
    """For each note that is named: the greatest weight and the name it belongs to."""
    best: dict[str, tuple[float, str]] = {}
    for hit, weight in hits.items():
        for path in hit.paths:
            if weight > best.get(path, (0.0, ""))[0]:
                best[path] = (weight, hit.name)
    return best
