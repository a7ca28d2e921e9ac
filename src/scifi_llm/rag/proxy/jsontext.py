"""Edits to JSON text that leave every byte beside them as the client wrote it.

Parsing a body and dumping it again would change numbers (1e400, 1.0, 30-digit integers), duplicate
keys and lone surrogates. Here a body is parsed to be read, and its text is cut open to be changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
# int() refuses more than 4,300 digits; such a number is only passed on, never used.
_DECODER = json.JSONDecoder(parse_int=lambda digits: int(digits) if len(digits) < 4000 else 0)


@dataclass(frozen=True)
class Member:
    """`key: value` of an object: `start` is the key's first character, `end` follows the value."""

    key: str
    start: int
    value: int
    end: int


def decode(raw: bytes) -> str:
    """The text of a JSON body in any encoding that JSON may have."""
    return raw.decode(json.detect_encoding(raw), "surrogatepass")


def parse(text: str) -> Any:
    """The value of a JSON text. Raises ValueError or RecursionError where it is none."""
    return _DECODER.decode(text)


def literal(value: Any) -> str:
    """A value as JSON text that is valid UTF-8, also where a text holds half a surrogate pair."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def members(text: str, at: int) -> list[Member]:
    """The members of the object that begins at `at`; `text` must have been parsed before."""
    found = []
    i = _skip(text, at + 1)
    while text[i] != "}":
        key, end = _DECODER.raw_decode(text, i)
        value = _skip(text, _skip(text, end) + 1)
        end = _DECODER.raw_decode(text, value)[1]
        found.append(Member(key, i, value, end))
        i = _after(text, end)
    return found


def elements(text: str, at: int) -> list[tuple[int, int]]:
    """(start, end) of each element of the array that begins at `at`."""
    found = []
    i = _skip(text, at + 1)
    while text[i] != "]":
        end = _DECODER.raw_decode(text, i)[1]
        found.append((i, end))
        i = _after(text, end)
    return found


def member(text: str, at: int, key: str) -> Member | None:
    """The member that counts: of equal keys the last one, as every JSON parser has it."""
    return next((m for m in reversed(members(text, at)) if m.key == key), None)


def start(text: str) -> int:
    """Where the value of a JSON text begins."""
    return _skip(text, 0)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _after(text: str, end: int) -> int:
    """Where the next member or element begins, or the closing bracket stands."""
    i = _skip(text, end)
    return _skip(text, i + 1) if text[i] == "," else i


@dataclass
class Edits:
    """Replacements of spans of one text, applied together; spans must not overlap."""

    text: str
    changes: list[tuple[int, int, str]] = field(default_factory=list)

    def replace(self, begin: int, end: int, new: str) -> None:
        """Put `new` in the place of text[begin:end]."""
        self.changes.append((begin, end, new))

    def drop(self, at: int, keys: Collection[str]) -> None:
        """Take members out of the object at `at`, with the comma that belongs to each."""
        found = members(self.text, at)
        kept = False
        for i, m in enumerate(found):
            if m.key not in keys:
                kept = True
            elif kept:
                self.replace(found[i - 1].end, m.end, "")
            else:
                self.replace(m.start, found[i + 1].start if i + 1 < len(found) else m.end, "")

    def add(self, at: int, key: str, value: Any) -> None:
        """Put a member before the closing bracket of the object at `at`."""
        found = members(self.text, at)
        end = found[-1].end if found else at + 1
        comma = ", " if found else ""
        self.replace(end, end, f"{comma}{literal(key)}: {literal(value)}")

    def apply(self) -> str:
        """The text with all changes."""
        out, done = [], 0
        for begin, end, new in sorted(self.changes, key=lambda change: change[:2]):
            out += [self.text[done:begin], new]
            done = end
        return "".join([*out, self.text[done:]])
