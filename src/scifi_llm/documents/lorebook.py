"""Lorebooks of SillyTavern and NovelAI, and character cards: each entry is a note. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import ToolkitError
from .model import Note, Section, type_of_folder
from .source import decode, normalise

# Remarks that both programs keep from the model: {{// …}}; and HTML comments.
_REMARK = re.compile(r"\{\{//.*?\}\}|<!--.*?-->", re.S)
_REGEX_KEY = re.compile(r"^/.+/[a-z]*$", re.S)


@dataclass(frozen=True)
class _Entry:
    name: str
    text: str
    keys: tuple[str, ...]
    always: bool


def parse_lorebook(data: bytes, path: str) -> list[Section]:
    """A section for each enabled entry, its keys as aliases; offsets count within the entry.

    Raises ToolkitError where the file is no JSON or no lorebook.
    """
    try:
        book = json.loads(decode(data), strict=False)
    except RecursionError:
        raise ToolkitError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ToolkitError(f"it is not valid JSON (line {error.lineno})") from None
    card = _card(book)
    found = list(_about(card)) if card else []
    entries = _entries((card or {}).get("character_book") if card else book)
    if entries is None and card is None:
        raise ToolkitError("it is JSON, but no lorebook: it has no list of entries")
    for entry in entries or []:
        if not isinstance(entry, dict):
            raise ToolkitError("it is no lorebook: an entry is not an object")
        found += _entry(entry)
    return [_section(entry, path, name) for entry, name in _named(found)]


def _card(book: Any) -> dict[str, Any] | None:
    """The data of a character card (version 2 or 3), else None."""
    if not isinstance(book, dict) or not isinstance(book.get("data"), dict):
        return None
    return book["data"] if str(book.get("spec", "")).startswith("chara_card") else None


def _about(card: dict[str, Any]) -> Iterator[_Entry]:
    """What a card says of its character; prompts and greetings are no canon."""
    name = str(card.get("name") or "Character").strip()
    parts = [card.get(key) for key in ("description", "personality", "scenario")]
    text = "\n\n".join(part.strip() for part in parts if isinstance(part, str) and part.strip())
    if text:
        yield _Entry(name, text.replace("{{char}}", name), (), False)


def _entries(book: Any) -> list[Any] | None:
    """SillyTavern keeps its entries by number, the others as a list; None for no lorebook."""
    entries = book.get("entries") if isinstance(book, dict) else None
    if isinstance(entries, dict):
        return list(entries.values())
    return entries if isinstance(entries, list) else None


def _entry(raw: dict[str, Any]) -> Iterator[_Entry]:
    """The entry, unless it is disabled or holds no text."""
    if raw.get("disable") is True or raw.get("enabled") is False:
        return
    text = raw.get("content", raw.get("text"))
    text = _REMARK.sub("", normalise(text)) if isinstance(text, str) else ""
    if not text.strip():
        return
    # Secondary keys only narrow the others down: they are no names of the entry.
    keys = _keys(raw.get("key", raw.get("keys")))
    names = [raw.get(key) for key in ("comment", "displayName", "name")]
    name = next((n.strip() for n in names if isinstance(n, str) and n.strip()), "")
    always = raw.get("constant") is True or raw.get("forceActivation") is True
    yield _Entry(" ".join((name or next(iter(keys), "Entry")).split()), text, keys, always)


def _keys(value: Any) -> tuple[str, ...]:
    """Keys as names; regular expressions are none."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        return ()
    names = (item.strip() for item in items if isinstance(item, str))
    return tuple(dict.fromkeys(name for name in names if name and not _REGEX_KEY.match(name)))


def _named(entries: list[_Entry]) -> Iterator[tuple[_Entry, str]]:
    """Each entry with a name of its own."""
    seen: dict[str, int] = {}
    for entry in entries:
        number = seen[entry.name] = seen.get(entry.name, 0) + 1
        yield entry, entry.name if number == 1 else f"{entry.name} ({number})"


def _section(entry: _Entry, path: str, name: str) -> Section:
    note = Note(
        path=f"{path}#{name}",
        title=entry.name,
        type=type_of_folder(path),
        aliases=tuple(key for key in entry.keys if key != entry.name),
        always=entry.always,
    )
    return Section(note, (entry.name,), entry.text, 0, len(entry.text))
