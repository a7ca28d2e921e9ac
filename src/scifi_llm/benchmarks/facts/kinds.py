# ruff: noqa: E501  # a pattern is read as a whole
"""Which rules a fact is for: its kind, by its attribute and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import lexicon
from .fact import Fact
from .numbers import digits

PLACE_WORDS = r"birth ?place|home ?town|home ?world|home|born|birth|origin|native|homeland|from"
COLOUR = r"(?:colou?rs?|colou?red)"
LABELS = "deck berth room cabin dock level gate sector bay floor block cell"
DEAD = r"\b(?:dead|died|killed|deceased|perished|lost|murdered|drowned|false|no)\b"
ALIVE = r"\b(?:alive|living|lives|survived|survives|true|yes|well)\b"
LENGTHS = """
day days hour hours minute minutes second seconds week weeks month months year years metre metres
meter meters kilometre kilometres kilometer kilometers mile miles foot feet ton tons tonne tonnes
kilogram kilograms degree degrees light fathom fathoms league leagues percent mark marks credit
credits crowns litre litres
"""
MEASURES = frozenset(LENGTHS.split())
# Kinds that their attribute tells alone, where the value has what the third column asks for.
BY_ATTRIBUTE = (
    ("order", r"\b(?:before|after|order|precedes|follows)\b", "no number"),
    ("age", r"\bage\b|\byears old\b|\bhow old\b", "number"),
    ("name", r"\b(?:(?:sur|last|family|full|first)? ?name|called|title)\b", "no number"),
    (
        "date",
        r"\b(?:date|year|day|when|month|season|time|born on|birthday|founded|signed|launched)\b",
        "",
    ),
    ("location", r"\b(?:location|place|position|where|orbit|site)\b", "name"),
    ("place", rf"\b(?:{PLACE_WORDS})\b", "name"),
)
KIN = lexicon.pattern("kin")
_OF = re.compile(
    rf"(?:an? |the )?(?:\w+ )?\b(?P<k>{KIN})\b (?:of|to) (?P<o>.+)|(?P<o2>.+?)(?:'s|’s|s'|s’) (?:\w+ )?(?P<k2>{KIN})$",
    re.IGNORECASE,
)


def typed(fact: Fact) -> Fact:
    """The fact with its kind and what the rules of that kind need."""
    attribute = re.sub(r"[_-]+", " ", fact.attribute.lower()).strip()
    family, group = lexicon.family_of(fact.value)
    numbers = re.findall(r"\d+", digits(fact.value))
    number = int(numbers[0]) if numbers else None

    def made(kind: str, **more: Any) -> Fact:
        known = {"family": family, "group": group, "number": number}
        return Fact(**{**fact.__dict__, "kind": kind, **known, **more})

    return (
        _of_two(fact, attribute, made)
        or _status(fact, attribute, family, made)
        or _colour(fact, attribute, family, made)
        or _by_words(fact, attribute, family, number, made)
        or (_numeric(fact, attribute, made) if number is not None else made("other"))
    )


def _of_two(fact: Fact, attribute: str, made: Callable[..., Fact]) -> Fact | None:
    kin = re.search(r"\b(?:relation\w*|kin|family(?! name))\b", attribute)
    first = attribute.split(" ")[0] if attribute else ""
    if kin or lexicon.group_of("kin", first) or _relation_value(fact.value):
        return _relation(fact, attribute) or made("other")
    return None


def _status(fact: Fact, attribute: str, family: str, made: Callable[..., Fact]) -> Fact | None:
    named = re.search(r"\b(?:status|fate|dead|alive|living|vital)\b", attribute)
    value = fact.value.lower()
    says = re.search(rf"{DEAD}|{ALIVE}", value)
    if (family != "marriage" and named and says) or value in ("dead", "alive", "deceased"):
        return made("status", group="dead" if re.search(DEAD, value) else "alive")
    return None


def _colour(fact: Fact, attribute: str, family: str, made: Callable[..., Fact]) -> Fact | None:
    small = rf"{COLOUR}|of|the|her|his|its"
    nouns = [w for w in re.findall(r"[a-z]+", attribute) if not re.fullmatch(small, w)]
    parts = re.findall(r"\b(?:eyes?|hair|beard|skin|fur|coat)\b", fact.value.lower())
    nouns += [w for w in parts if w not in nouns]
    return made("colour", nouns=tuple(nouns)) if nouns and family == "colour" else None


def _by_words(
    fact: Fact, attribute: str, family: str, number: int | None, made: Callable[..., Fact]
) -> Fact | None:
    if family in ("rank", "job") and not re.search(r"\bname\b", attribute):
        return made("rank")
    have = {
        "": True,
        "number": number is not None,
        "no number": number is None,
        "name": bool(re.search(r"[A-ZÀ-Þ]", fact.value)) and number is None,
    }
    for kind, words, needs in BY_ATTRIBUTE:
        if have[needs] and re.search(words, attribute):
            return made(kind, other=fact.value) if kind == "order" else made(kind)
    return None


def _numeric(fact: Fact, attribute: str, made: Callable[..., Fact]) -> Fact:
    words = r"(?:number|count|size|amount|how|many|of|the|total|in|on|a|an|is|her|his|its)"
    label = re.match(r"([A-Za-z][a-z]+) (\d+|[a-z-]+)$", fact.value)
    if label and label[1].lower() in LABELS.split():
        return made("label", nouns=(label[1].lower(),))
    rest = re.sub(r"^(?:about|some|exactly|a crew of)\s+", "", digits(fact.value).lower())
    after = re.match(r"\d+(?:\.\d+)?[ -]?([a-z]+)", rest)
    nouns = [w for w in re.findall(r"[a-z]+", attribute) if not re.fullmatch(words, w)]
    if after and after[1] in MEASURES:
        return made("measure", nouns=(after[1],))
    if after and after[1] not in (*nouns, "in", "of", "and", "or"):
        nouns = [after[1], *nouns]
    return made("count", nouns=tuple(nouns))


def _relation_value(value: str) -> bool:
    return bool(_OF.fullmatch(value.strip(". ")))


def _relation(fact: Fact, attribute: str) -> Fact | None:
    """The fact as `subject is the group of other`."""
    found = _OF.fullmatch(fact.value.strip(". "))
    data = dict(fact.__dict__)
    kind = {"kind": "relation", "family": "kin"}
    shown = {"subject": fact.subject, "value": fact.value}
    if found:
        group = lexicon.group_of("kin", found["k"] or found["k2"])
        return Fact(
            **{**data, **kind, "group": group, "other": (found["o"] or found["o2"]).strip()}
        )
    plain = re.fullmatch(
        rf"(?P<o>.+?) is (?:his|her|its|their) (?:\w+ )?(?P<k>{KIN})", fact.value.strip(". ")
    )
    if plain:
        group = lexicon.group_of("kin", plain["k"])
        return Fact(**{**data, **kind, "group": group, "subject": plain["o"], "aliases": (),
                       "other": fact.subject, "extra": {"of_aliases": fact.aliases, **shown}})  # fmt: skip
    to = re.search(r"\b(?:to|with|of) (?P<o>.+)$", re.sub(r"[_-]+", " ", fact.attribute))
    if to and (group := lexicon.group_of("kin", fact.value)):
        return Fact(**{**data, **kind, "group": group, "other": to["o"].strip()})
    group = lexicon.group_of("kin", attribute.split(" ")[-1]) or lexicon.group_of(
        "kin", attribute.split(" ")[0]
    )
    if group:  # the subject's brother is the value
        return Fact(**{**data, **kind, "group": group, "subject": fact.value, "aliases": (),
                       "other": fact.subject, "extra": {"of_aliases": fact.aliases, **shown}})  # fmt: skip
    return None
