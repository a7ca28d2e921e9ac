# ruff: noqa: E501  # a pattern is read as a whole
"""Rules for time, for the order of two events, and for any other attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import lexicon
from ..fact import Fact
from ..numbers import digits
from .common import BE, NAMEY, Finding, denied, judge, shares

YEAR = r"(?<!-)\b(?:[A-Z]{1,2}\.? ?)?(\d{3,4})\b(?! (?:metres|meters|tons|men|people|credits|kilo|miles|ships|marks|souls|feet))"


def date(fact: Fact, text: str) -> Iterator[Finding]:
    """Year, season, month, weekday or numbered day in a sentence about the subject."""
    if "§s" not in text:
        return iter(())
    value = digits(fact.value)
    if years := re.findall(r"\b\d{3,4}\b", value):
        return _year(years, text)
    for family in ("season", "month", "weekday", "daytime"):
        for word in re.findall(r"\w+", value.lower()):
            if group := lexicon.group_of(family, word):
                return _named(family, group, text)
    return _numbered(fact, value, text)


def _year(years: list[str], text: str) -> Iterator[Finding]:
    found = set(re.findall(YEAR, text))
    if len(found) == 1 and not denied(text[: text.index(year := found.pop())][-14:]):
        yield year, year in years


def _named(family: str, group: str, text: str) -> Iterator[Finding]:
    form = rf"\b(?:in|on|during|by|at|that|of|the|one|early|late|last|a|every) (?P<c>{lexicon.pattern(family)})\b"
    hits = [
        h
        for h in re.finditer(form, text, re.IGNORECASE)
        if family != "month" or h["c"][0].isupper()
    ]
    if len({lexicon.group_of(family, h["c"]) for h in hits}) != 1:
        return
    got = lexicon.group_of(family, hits[0]["c"])
    if not denied(text[max(0, hits[0].start() - 10) : hits[0].start()]):
        yield hits[0]["c"], got == group
    elif got == group:
        yield f"not {hits[0]['c']}", False


def _numbered(fact: Fact, value: str, text: str) -> Iterator[Finding]:
    unit = re.search(r"\d+(?:th)? ([a-zA-Z]+)", value)
    noun = unit[1] if unit else "day"
    hits = re.findall(rf"\b(\d+)(?:th)? {noun}s?\b|\b{noun} (\d+)\b", text, re.IGNORECASE)
    numbers = {int(a or b) for a, b in hits}
    if fact.number is not None and len(numbers) == 1:
        number = numbers.pop()
        yield str(number), number == fact.number


SMALL = ("the", "of", "a", "an", "her", "his", "its", "name")
# Words, where they stand (between both or before both), and whether the first named came first.
ORDER = (
    (
        r"\b(?:before|preced\w+|earlier than|ahead of|until|led to|ended in|followed by|paved the way)\b",
        "between",
        True,
    ),
    (r"\b(?:after|followed|later than|since|in the wake of|had already|once)\b", "between", False),
    (r"\b(?:before|prior to|until)\b[^,]*$", "head", False),
    (r"\b(?:after|following|once|since|when)\b[^,]*$", "head", True),
)


def order(fact: Fact, text: str) -> Iterator[Finding]:
    """Which of two events, §s and §y, came first."""
    if "§s" not in text or "§y" not in text:
        return
    s, y = text.index("§s"), text.index("§y")
    first_s = bool(re.search(r"\b(?:before|precede)", fact.attribute.lower()))
    between = text[min(s, y) : max(s, y)]
    head = text[: min(s, y)]
    verdict: bool | None = None  # does the one that stands first come first in time?
    for words, where, value in ORDER:
        if re.search(words, between if where == "between" else head, re.IGNORECASE):
            verdict = value
            break
    if verdict is None or denied(between):
        return
    said_first = verdict if s < y else not verdict
    yield (
        between.strip(" ,")[:60].replace("§s", fact.subject).replace("§y", fact.other),
        said_first == first_s,
    )


def other(fact: Fact, text: str) -> Iterator[Finding]:
    """Any other attribute: the value itself, negation, words that exclude each other."""
    value = re.escape(fact.value).replace(r"\ ", r"\s+")
    clause = re.search(rf"§s(?P<m>[^.;!?]{{0,90}}?)\b(?P<v>{value})\b", text, re.IGNORECASE)
    if clause:
        wrong = denied(clause["m"])
        yield (f"not {fact.value}" if wrong else clause["v"]), not wrong
        return
    yield from _named_one(fact, text)
    for form in _forms(fact, text):
        for found in re.finditer(form, text, re.IGNORECASE):
            made = judge(fact, found["c"], denied(found["m"]))
            if made:
                yield made


def _named_one(fact: Fact, text: str) -> Iterator[Finding]:
    """An attribute whose value is a name: the ship's captain, her mentor."""
    words = [w for w in re.findall(r"[a-z]+", fact.attribute.lower()) if w not in SMALL]
    if not words or not re.match(r"(?:[Tt]he )?[A-ZÀ-Þ]", fact.value):
        return
    noun = re.escape(words[-1])
    forms = (
        rf"§s's (?:[\w-]+ )?{noun},? (?:was |is |had been |called |named )?(?:(?:Captain|Dr\.?|Mr\.?|Mrs\.?|Ms\.?) )?(?P<v>{NAMEY})",
        rf"\b{noun} of (?:the )?§s,? (?:was |is |called |named )?(?P<v>{NAMEY})",
        rf"(?P<v>{NAMEY}),? (?:was |is )?(?:the )?{noun} of (?:the )?§s\b",
        rf"(?P<v>{NAMEY}) (?:was|is) §s's (?:[\w-]+ )?{noun}\b",
    )
    for form in forms:
        for found in re.finditer(form, text, re.IGNORECASE):
            right = any(shares(found["v"], name) for name in (fact.value, *fact.synonyms))
            yield found["v"], right


def _forms(fact: Fact, text: str) -> list[str]:
    """Where a word of the value's family may stand, if it is to be about this attribute."""
    if not fact.family:
        return []
    word = lexicon.pattern(fact.family)
    names = re.findall(r"[a-z]{3,}", fact.attribute.lower())
    stems = "|".join(re.escape(w.rstrip("s")) for w in names if w not in ("the", "and"))
    forms = []
    if stems and re.search(rf"\b(?:{stems})\w*", text, re.IGNORECASE):
        forms.append(rf"§s(?P<m>[^.;!?§]{{0,60}}?)\b(?P<c>{word})\b")
    if fact.family == "material":
        forms += [
            rf"§s (?:{BE}|had been)(?P<m> (?:not )?)(?:(?:made|built|carved|forged|cut|cast) )?(?:entirely )?(?:of |from |out of )?(?P<c>{word})\b",
            rf"\b(?P<m>)(?P<c>{word}) §s\b",
        ]
    elif fact.family in ("hand", "kind", "marriage", "height", "limb", "power", "lock", "opening"):
        forms.append(
            rf"§s (?:{BE}|has|had)(?P<m> (?:not )?)(?:an? |the )?(?P<c>{word})\b(?! (?:to|about|that|now|enough))"
        )
    return forms
