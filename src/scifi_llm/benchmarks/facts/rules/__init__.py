"""Rules for each kind of fact: what a tagged sentence says of the subject, or denies.

A rule looks at one sentence in which the subject is §s (mentions.Story.tagged) and numbers are
digits. It yields (found, agrees): the words it read, and whether they agree with the fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..fact import Fact
from .common import APPOSITION, PAST, Finding, denied, unreal
from .events import date, order, other
from .life import status
from .persons import age, colour, name, rank, relation
from .things import count, label, location, measure, place

RULES: dict[str, Callable[[Fact, str], Iterator[Finding]]] = {
    "colour": colour, "age": age, "count": count, "measure": measure, "label": label,
    "place": place, "location": location, "rank": rank, "relation": relation, "status": status,
    "name": name, "date": date, "order": order, "other": other,
}  # fmt: skip
# Held true at one time only: a sentence about another time does not deny them.
TIMED = ("age", "rank", "status", "count")
__all__ = ["PAST", "RULES", "TIMED", "denied", "said", "unreal"]


def said(fact: Fact, text: str) -> Iterator[Finding]:
    """What a tagged sentence says of the fact; nothing where it says nothing."""
    rule = RULES.get(fact.kind, other)
    seen = set()
    for reading in dict.fromkeys((text, APPOSITION.sub(r"\1 ", text))):
        for finding in rule(fact, reading):
            if finding not in seen:
                seen.add(finding)
                yield finding
