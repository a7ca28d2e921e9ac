"""FACTS.yaml: what a story must keep to.

    facts:
      - id: mara-eyes            # any name; default: fact-1, fact-2, …
        subject: Mara Voss       # who or what
        aliases: [the pilot]     # other names of it; first and last name count by themselves
        attribute: eye colour    # what of it, in plain words
        value: grey
        synonyms: [slate]        # optional: also right
        contradictions: [brown]  # optional: surely wrong, wherever they are said of the subject
        gender: f                # optional: f, m or n; helps with she, he and it

A plain list, a mapping of id to fact, and JSON work too. A fact may be one sentence instead:
`statement: Mara Voss has grey eyes.` Attributes with rules of their own: a colour (eyes, hair, any
noun), age, rank or job, a number of something, a measure, birthplace or home, status (dead, alive),
relation (`brother of Elena`), name, year, date, season; `before` and `after` for two events. Other
attributes are held against words that exclude each other, negation and `contradictions`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ToolkitError
from ...settings import parse_yaml
from . import lexicon

FIX = "The format: vllm/benchmarks/4_long_context_coherence.py --help"
PLACE_WORDS = r"birth ?place|home ?town|home ?world|home|born|birth|origin|native|homeland|from"
COLOUR = r"(?:colou?rs?|colou?red)"


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


def load(file: Path) -> list[Fact]:
    """The facts of a file. Raises ToolkitError that names the fact that is wrong."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ToolkitError(f"{file} cannot be read: {error.strerror}.", "Check the name.") from None
    except UnicodeDecodeError:
        raise ToolkitError(f"{file} is no text in UTF-8.", FIX) from None
    try:
        data = json.loads(text) if file.suffix == ".json" else parse_yaml(text)
    except ValueError:
        raise ToolkitError(f"{file} is not valid JSON.", FIX) from None
    except ToolkitError as error:
        raise ToolkitError(f"{file} is {error.problem}.", FIX) from None
    return parse(data, str(file))


def parse(data: Any, where: str = "FACTS") -> list[Fact]:
    """Facts of a decoded file: a list, {facts: list} or {id: fact}."""
    if isinstance(data, dict) and isinstance(data.get("facts"), list | dict):
        data = data["facts"]
    if isinstance(data, dict):
        data = [{"id": key, **value} if isinstance(value, dict) else {"id": key, "statement": value}
                for key, value in data.items()]  # fmt: skip
    if not isinstance(data, list) or not data:
        raise ToolkitError(f"{where} holds no list of facts.", FIX)
    found = [_fact(entry, f"fact-{i}", where) for i, entry in enumerate(data, start=1)]
    names = [fact.id for fact in found]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise ToolkitError(f"{where}: two facts have the id {twice}.", "Name them differently.")
    return found


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(str(v).strip() for v in values if str(v).strip())


def _fact(entry: Any, name: str, where: str) -> Fact:
    if isinstance(entry, str):
        entry = {"statement": entry}
    if not isinstance(entry, dict):
        raise ToolkitError(f"{where}: {name} is no mapping.", FIX)
    name = str(entry.get("id", name))
    statement = str(entry.get("statement") or entry.get("fact") or entry.get("text") or "").strip()
    fields = {key: str(entry.get(key) or "").strip() for key in ("subject", "attribute")}
    fields["value"] = "" if entry.get("value") is None else str(entry["value"]).strip()
    if not (fields["subject"] and fields["value"]) and statement:
        fields = {**_from_statement(statement), **{k: v for k, v in fields.items() if v}}
    if not (fields["subject"] and fields["value"]):
        raise ToolkitError(f"{where}: {name} needs subject, attribute and value.", FIX)
    wrong = entry.get("contradictions") or entry.get("alternatives") or entry.get("not")
    return typed(
        Fact(
            name,
            fields["subject"],
            fields["attribute"],
            fields["value"],
            _texts(entry.get("aliases") or entry.get("alias")),
            _texts(entry.get("synonyms")),
            _texts(wrong),
            _gender(entry),
        )
    )


def _gender(entry: dict[str, Any]) -> str:
    word = str(entry.get("gender") or entry.get("pronoun") or entry.get("pronouns") or "").lower()
    first = {"f": "f", "s": "f", "w": "f", "m": "m", "h": "m", "n": "n", "i": "n"}
    return first.get(word[:1], "")


NAME = r"(?:(?:The|the) )?[A-ZÀ-Þ][\w'’-]*(?: (?:[A-ZÀ-Þ][\w'’-]*|of|the)(?= [A-ZÀ-Þ]|\b))*"


def _from_statement(text: str) -> dict[str, str]:
    """Subject, attribute and value of one simple sentence."""
    text = text.strip().rstrip(".")
    rules = (
        (r"(?P<s>.+?)(?:'s|’s?) (?P<a>eyes|hair|[\w ]+?) (?:is|are|was|were) (?P<v>.+)", None),
        (r"(?P<s>.+?) (?:has|had) (?P<v>.+?) (?P<a>eyes|hair|skin|beard)", None),
        (r"(?P<s>.+?) (?:is|was) (?P<v>[\w-]+)(?: years old| years of age)$", "age"),
        (r"(?P<s>.+?) (?:is|was) (?P<v>dead|alive|still alive|killed|deceased)\b.*", "status"),
        (r"(?P<s>.+?) (?P<v>died|survived)\b.*", "status"),
        (r"(?P<s>.+?) (?:was born|grew up|comes|came|is|was|hails) (?:in|on|at|from) (?P<v>.+)", "birthplace"),
        (r"(?P<s>.+?) (?:lives|lived) (?:in|on|at) (?P<v>.+)", "home"),
        (r"(?P<s>.+?) (?:happened|took place|began|ended|was signed|was founded|sailed) (?:in|on) (?P<v>.+)", "date"),
        (r"(?P<s>.+?) (?:happened|took place|came) (?P<a>before|after) (?P<v>.+)", None),
        (r"(?P<s>.+?) (?:has|had|carries|carried) (?P<v>(?:a crew of )?[\w-]+) ?(?P<a>[\w ]*)", None),
        (r"(?P<s>.+?) (?:is|was) (?:called|named) (?P<v>.+)", "name"),
        (r"(?P<s>.+?) (?:is|was|are|were) (?:an? |the )?(?P<v>.+)", ""),
    )  # fmt: skip
    for rule, attribute in rules:
        found = re.fullmatch(rule, text)
        if found:
            parts = found.groupdict()
            return {
                "subject": parts["s"],
                "attribute": attribute if attribute is not None else parts.get("a") or "",
                "value": parts["v"],
            }
    return {"subject": "", "attribute": "", "value": ""}


def typed(fact: Fact) -> Fact:
    """The fact with its kind and what the rules of that kind need."""
    attribute = re.sub(r"[_-]+", " ", fact.attribute.lower()).strip()
    value = fact.value.lower()
    family, group = lexicon.family_of(fact.value)
    numbers = re.findall(r"\d+", lexicon.digits(fact.value))
    number = int(numbers[0]) if numbers else None

    def made(kind: str, **more: Any) -> Fact:
        known = {"family": family, "group": group, "number": number}
        return Fact(**{**fact.__dict__, "kind": kind, **known, **more})

    if re.search(r"\b(?:before|after|order|precedes|follows)\b", attribute) and number is None:
        return made("order", other=fact.value)
    if re.search(r"\b(?:relation\w*|kin|family)\b", attribute) or lexicon.group_of(
        "kin", attribute.split(" ")[0] if attribute else ""
    ):
        return _relation(fact, attribute) or made("other")
    if _relation_value(value):
        return _relation(fact, attribute) or made("other")
    if (
        family != "marriage"
        and re.search(r"\b(?:status|fate|dead|alive|living|vital)\b", attribute)
    ) or value in ("dead", "alive", "deceased", "killed"):
        dead = bool(
            re.search(
                r"\b(?:dead|died|killed|deceased|perished|lost|murdered|drowned|false|no)\b", value
            )
        )
        return made("status", group="dead" if dead else "alive")
    if re.search(r"\bage\b|\byears old\b|\bhow old\b", attribute) and number is not None:
        return made("age")
    if family == "colour" or re.search(COLOUR, attribute):
        nouns = [
            w
            for w in re.findall(r"[a-z]+", attribute)
            if not re.fullmatch(COLOUR + "|of|the|her|his|its", w)
        ]
        nouns += [
            w
            for w in re.findall(r"\b(?:eyes?|hair|beard|skin|fur|coat)\b", value)
            if w not in nouns
        ]
        if nouns and family == "colour":
            return made("colour", nouns=tuple(nouns))
    if family in ("rank", "job") and not re.search(r"\bname\b", attribute):
        return made("rank")
    if (
        re.search(r"\b(?:sur|last|family|full|first)? ?name\b|\bcalled\b|\btitle\b", attribute)
        and not numbers
    ):
        return made("name")
    if re.search(
        r"\b(?:date|year|day|when|month|season|time|born on|birthday|founded|signed|launched)\b",
        attribute,
    ):
        return made("date")
    if (
        re.search(r"\b(?:location|place|position|where|orbit|site)\b", attribute)
        and number is None
        and re.search(r"[A-ZÀ-Þ]", fact.value)
    ):
        return made("location")
    if re.search(rf"\b(?:{PLACE_WORDS})\b", attribute) and re.search(r"[A-ZÀ-Þ]", fact.value):
        return made("place")
    if number is not None:
        return _numeric(fact, attribute, made)
    return made("other")


def _numeric(fact: Fact, attribute: str, made: Callable[..., Fact]) -> Fact:
    words = r"(?:number|count|size|amount|how|many|of|the|total|in|on|a|an|is|her|his|its)"
    label = re.match(r"([A-Z][a-z]+|[a-z]+) (\d+|[a-z-]+)$", fact.value)
    if label and label[1].lower() in (
        "deck",
        "berth",
        "room",
        "cabin",
        "dock",
        "level",
        "gate",
        "sector",
        "bay",
        "floor",
        "block",
        "cell",
    ):
        return made("label", nouns=(label[1].lower(),))
    rest = re.sub(r"^(?:about|some|exactly|a crew of)\s+", "", lexicon.digits(fact.value).lower())
    after = re.match(r"\d+(?:\.\d+)?[ -]?([a-z]+)", rest)
    nouns = [w for w in re.findall(r"[a-z]+", attribute) if not re.fullmatch(words, w)]
    if after and after[1] not in nouns and after[1] not in ("in", "of", "and", "or", "years"):
        return (
            made("measure", nouns=(after[1],))
            if after[1] in MEASURES
            else made("count", nouns=(after[1], *nouns))
        )
    if after and after[1] in MEASURES:
        return made("measure", nouns=(after[1],))
    return made("count", nouns=tuple(nouns))


MEASURES = frozenset(
    "day days hour hours minute minutes second seconds week weeks month months year years metre "
    "metres meter meters kilometre kilometres kilometer kilometers mile miles foot feet ton tons "
    "tonne tonnes kilogram kilograms degree degrees light fathom fathoms league leagues percent "
    "mark marks credit credits crowns litre litres".split(" ")
)
KIN = lexicon.pattern("kin")
_OF = re.compile(
    rf"(?:an? |the )?(?:\w+ )?\b(?P<k>{KIN})\b (?:of|to) (?P<o>.+)|(?P<o2>.+?)(?:'s|’s|s'|s’) (?:\w+ )?(?P<k2>{KIN})$",
    re.IGNORECASE,
)


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
