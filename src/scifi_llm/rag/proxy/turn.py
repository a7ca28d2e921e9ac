"""One request's conversation: what its earlier turns were given, and what the newest one gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..passages import Dropped, Passage
from ..prompt import canon_block
from .body import ChatBody
from .lookup import Canon
from .memory import Lore, Plan
from .options import RagOptions
from .window import Fitted, Model


@dataclass
class Turn:
    """`newest` is the position of the newest user message; `keys` and `earlier` go by user turn."""

    body: ChatBody
    options: RagOptions
    newest: int
    keys: list[str]
    earlier: Plan
    given: Lore | None  # by the record of this very turn
    known: bool  # there is such a record
    model: Model | None = None
    canon: Canon = field(default_factory=Canon)
    always: Lore | None = None
    reason: str = ""
    _told: tuple[Sequence[Passage], Lore | None] | None = None  # passages and the lore of them

    @property
    def answering(self) -> bool:
        """Do messages follow the newest user turn: calls of tools and their results?"""
        return self.newest < len(self.body.messages) - 1

    @property
    def replayed(self) -> bool:
        """Is the newest turn given what it was given before?"""
        return self.known and (self.answering or bool(self.reason))

    @property
    def lore(self) -> Lore | None:
        """What the newest turn is given."""
        if self.replayed:
            return self.given
        passages = self.canon.passages
        if self._told is None or self._told[0] is not passages:
            self._told = passages, lore_of(canon_block(passages), passages)
        return self._told[1]


def lore_of(text: str, passages: Sequence[Passage]) -> Lore | None:
    """A block and the passages in it as a piece of lore; None for an empty one."""
    if not text:
        return None
    found = frozenset[str]().union(*(passage.keys for passage in passages))
    return Lore(text, tuple(sorted(found)), tuple(passage.source() for passage in passages))


def trim(turn: Turn, fit: Fitted) -> int:
    """Leave out what does not fit; returns how many passages that were."""
    gone = [piece for piece in turn.earlier[: fit.old] if piece]
    turn.earlier = (*[None] * fit.old, *turn.earlier[fit.old :])
    trimmed = sum(len(piece.sources) for piece in gone)
    if fit.new:
        reason = "the context window is full"
        if turn.replayed and turn.given:
            trimmed += len(turn.given.sources)
            turn.given = None
        passages = turn.canon.passages
        cut = len(passages) - fit.new if not turn.replayed else len(passages)
        trimmed += len(passages) - cut
        turn.canon.dropped = [
            *(Dropped(p, reason) for p in passages[cut:]),
            *turn.canon.dropped,
        ]
        turn.canon.passages = passages[:cut]
    if fit.always and turn.always:
        trimmed += len(turn.always.sources)
        turn.always = None
    return trimmed
