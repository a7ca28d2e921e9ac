# ruff: noqa: E501  # a pattern is read as a whole
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
from pathlib import Path
from typing import Any

from ...errors import ToolkitError
from ...settings import parse_yaml
from .fact import Fact
from .kinds import typed

FIX = "The format: vllm/benchmarks/4_long_context_coherence.py --help"


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
