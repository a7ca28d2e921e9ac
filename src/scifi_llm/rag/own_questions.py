"""Questions to an author's own collection: the author's, and known-item ones made by rule.

A known-item question is made from a place and counts as answered when that place is found: an
alias must lead to its note, a heading to its section's note, rare words to the passage they are
from. They flatter every search, because their words are the canon's; they show what is out of
reach, and compare one setting with another.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..documents import Note
from ..errors import ToolkitError
from .corpus import Corpus
from .dataset import Judgement, Query
from .lexical import terms, words
from .passages import SearchRequest
from .question import FUNCTION_WORDS

MOST = 200  # questions of each kind
RARE_WORDS = 5
_KEYS = {"query", "gold"}


def read(file: Path) -> list[tuple[Query, frozenset[str]]]:
    """The author's questions: a JSON object a line, with the paths that must not be found.

    Keys: query and gold (paths of notes); optional id, kind, history, as_of, pov, forbidden. Raises
    ToolkitError where a line is not of this form. Questions without gold are left out of the
    measures but their forbidden notes count.
    """
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry: dict[str, Any] = dict(json.loads(line))
            missing = _KEYS - entry.keys()
            if missing:
                raise ValueError(f"no key {sorted(missing)[0]!r}")
            turns = tuple((str(t["role"]), str(t["content"])) for t in entry.get("history") or ())
            request = SearchRequest(
                str(entry["query"]), turns, as_of=entry.get("as_of"), pov=entry.get("pov")
            )
            gold = tuple(Judgement(str(path), 1.0) for path in entry["gold"])
            query = Query(str(entry.get("id") or number), request, gold, str(entry.get("kind", "")))
            found.append((query, frozenset(map(str, entry.get("forbidden") or ()))))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ToolkitError(
                f"{file} line {number} is no question ({error}).",
                'Write one a line: {"query": "Who is Elena?", "gold": ["characters/elena.md"]}',
            ) from None
    return found


def known_items(corpus: Corpus, seed: int = 0) -> list[Query]:
    """Questions made from the collection, the same for the same collection and seed."""
    chance = random.Random(seed)
    made: list[Query] = []
    for kind, every in (
        ("alias", list(_aliases(corpus))),
        ("heading", list(_headings(corpus))),
        ("rare words", list(_rare_words(corpus))),
    ):
        some = chance.sample(every, min(MOST, len(every)))
        for number, (text, paths) in enumerate(some, start=1):
            gold = tuple(Judgement(path, 1.0) for path in paths)
            made.append(Query(f"{kind} {number}", SearchRequest(text), gold, kind))
    return made


def _aliases(corpus: Corpus) -> Iterator[tuple[str, Sequence[str]]]:
    named: dict[str, list[str]] = {}
    for path, note in corpus.notes.items():
        for alias in note.aliases:
            named.setdefault(alias, []).append(path)
    for alias, paths in named.items():
        yield f"Tell me about {alias}.", paths


def _headings(corpus: Corpus) -> Iterator[tuple[str, Sequence[str]]]:
    places: dict[tuple[Note, str], None] = {}
    for chunk in corpus.chunks:
        if chunk.heading and chunk.heading[-1] != chunk.note.title:
            places.setdefault((chunk.note, chunk.heading[-1]))
    for note, heading in places:
        yield f"{note.title}: {heading}?", [note.path]


def _rare_words(corpus: Corpus) -> Iterator[tuple[str, Sequence[str]]]:
    for chunk in corpus.chunks:
        some = {word for word in words(chunk.text) if word not in FUNCTION_WORDS and word.isalpha()}
        rare = sorted(some, key=lambda word: (-corpus.lexical.idf(terms(word)[0]), word))
        if len(rare) > 3 * RARE_WORDS:
            # The very rarest are names; the next ones are what an author remembers of a passage.
            yield " ".join(rare[RARE_WORDS : 2 * RARE_WORDS]), [chunk.note.path]
