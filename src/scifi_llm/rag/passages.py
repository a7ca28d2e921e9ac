"""What a search is asked and what it answers: requests, passages, what was dropped and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from .chunking import Chunk


@dataclass(frozen=True)
class SearchRequest:
    """A question, the chat before it and the rules. None or () asks for the default or no rule.

    `history` holds (role, text) of the earlier turns, oldest first. `exclude` holds keys of
    passages that are not to be found again, because the model has them already. `paths` keeps the
    ranking to those notes.
    """

    query: str
    history: tuple[tuple[str, str], ...] = ()
    collections: tuple[str, ...] = ()
    as_of: int | None = None
    pov: str | None = None
    top_k: int | None = None
    exclude: frozenset[str] = frozenset()
    paths: frozenset[str] | None = None


@dataclass(frozen=True)
class Passage:
    """One chunk, or neighbouring chunks of one section, in the order of the note.

    `routes` tells what found it and how well: {"name": "Elena Ruhl", "bm25": 11.2, "dense": 0.61}.
    """

    collection: str
    chunks: tuple[Chunk, ...]
    score: float
    why: str
    routes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def chunk(self) -> Chunk:
        """Its first chunk, which names note and heading for all."""
        return self.chunks[0]

    @property
    def keys(self) -> frozenset[str]:
        """What identifies its text: the same keys are the same text, whatever found it."""
        return frozenset(f"{self.collection}/{chunk.id}" for chunk in self.chunks)

    @property
    def text(self) -> str:
        """The author's own text."""
        return "\n\n".join(chunk.text for chunk in self.chunks)

    @property
    def told(self) -> str:
        """Title, heading path and text: what it costs of a budget."""
        return f"{self.chunk.context}\n{self.text}"

    def source(self) -> dict[str, Any]:
        """Where it stands and why it was taken, without its text."""
        return {
            "path": self.chunk.note.path,
            "heading": self.chunk.context,
            "score": round(self.score, 4),
            "why": self.why,
        }

    def result(self) -> dict[str, Any]:
        """`source` with the text."""
        return {**self.source(), "text": self.text}


@dataclass(frozen=True)
class Dropped:
    """A passage that was found and not taken, and the reason in words."""

    passage: Passage
    reason: str


@dataclass(frozen=True)
class Found:
    """The answer of a search: `passages` best first; `query` is the text that was searched for."""

    query: str
    passages: list[Passage]
    dropped: list[Dropped] = field(default_factory=list)


# Reorders the best passages of a question.
Rerank = Callable[[str, Sequence[Passage]], list[Passage]]


class Searcher(Protocol):
    """What the proxy needs of a retriever; tests bring their own.

    Both methods raise ToolkitError where a collection or its model cannot be had.
    """

    def search(self, request: SearchRequest) -> Found:
        """The passages that a question needs."""

    def always(self, request: SearchRequest) -> list[Passage]:
        """The notes marked `always`, in a fixed order, under the request's rules; query unused."""


def fit_budget(
    passages: Iterable[Passage], budget: int, count: Callable[[str], int]
) -> tuple[list[Passage], list[Dropped]]:
    """Whole passages, best first, whose tokens stay within `budget`, and the rest. Pure.

    A passage that does not fit is passed over and a shorter one behind it may still be taken.
    """
    taken: list[Passage] = []
    dropped: list[Dropped] = []
    left = budget
    for passage in passages:
        cost = count(passage.told)
        if cost <= left:
            taken.append(passage)
            left -= cost
        else:
            dropped.append(Dropped(passage, f"{cost} tokens; {left} of {budget} were left"))
    return taken, dropped
