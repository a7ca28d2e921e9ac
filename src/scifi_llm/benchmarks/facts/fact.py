"""One fact, as the rules see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """One fact. `kind` chooses the rules; `family` and `group` place the value in the lexicon."""

    id: str
    subject: str
    attribute: str
    value: str
    aliases: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    gender: str = ""
    kind: str = "other"
    family: str = ""
    group: str = ""
    nouns: tuple[str, ...] = ()  # of the attribute: eyes, hair, crew
    number: int | None = None
    other: str = ""  # the second person of a relation, the second event of an order
    extra: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """All names of the subject."""
        return (self.subject, *self.aliases)
