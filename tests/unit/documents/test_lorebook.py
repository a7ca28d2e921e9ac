"""Lorebooks: entries are notes, keys are aliases, constant entries are always there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scifi_llm.documents.lorebook import parse_lorebook
from scifi_llm.errors import ToolkitError

SILLYTAVERN = {
    "entries": {
        "0": {"uid": 0, "key": ["Elena", "the Quartermaster", "/el+a/i"], "keysecondary": ["ship"],
              "comment": "Elena Ruhl", "content": "Elena keeps the stores. {{// her secret}}",
              "constant": False, "disable": False},
        "1": {"uid": 1, "key": "tide, tides", "comment": "", "content": "The tide is slow.",
              "constant": True},
        "2": {"uid": 2, "key": ["gone"], "comment": "Old", "content": "Gone.", "disable": True},
        "3": {"uid": 3, "key": ["x"], "comment": "Elena Ruhl", "content": "Another."},
        "4": {"uid": 4, "key": [], "comment": "Empty", "content": "  "},
    }
}  # fmt: skip
NOVELAI = {
    "lorebookVersion": 5,
    "entries": [
        {"text": "Kepler is dry.", "displayName": "Kepler", "keys": ["Kepler", "the planet"],
         "enabled": True, "forceActivation": True},
        {"text": "Off.", "displayName": "Off", "keys": [], "enabled": False},
    ],
}  # fmt: skip
CARD = {
    "spec": "chara_card_v2",
    "data": {
        "name": "Jonas",
        "description": "{{char}} is a captain.",
        "personality": "Dry.",
        "system_prompt": "You are Jonas.",
        "first_mes": "Ahoy.",
        "character_book": {
            "entries": [
                {"keys": ["ship"], "content": "The ship is old.", "name": "Ship", "enabled": True,
                 "constant": False},
            ]
        },
    },
}  # fmt: skip


def read(book: Any, path: str = "world.json") -> list[tuple[Any, ...]]:
    return [
        (part.note.path, part.note.title, part.note.aliases, part.note.always, part.text)
        for part in parse_lorebook(json.dumps(book).encode(), path)
    ]


def test_sillytavern() -> None:
    assert read(SILLYTAVERN, "characters/world.json") == [
        ("characters/world.json#Elena Ruhl", "Elena Ruhl", ("Elena", "the Quartermaster"), False,
         "Elena keeps the stores. "),
        ("characters/world.json#tide", "tide", ("tides",), True, "The tide is slow."),
        ("characters/world.json#Elena Ruhl (2)", "Elena Ruhl", ("x",), False, "Another."),
    ]  # fmt: skip
    first = parse_lorebook(json.dumps(SILLYTAVERN).encode(), "characters/world.json")[0]
    assert (first.note.type, first.heading) == ("character", ("Elena Ruhl",))
    assert (first.start, first.end) == (0, len(first.text))


def test_novelai() -> None:
    assert read(NOVELAI, "kepler.lorebook") == [
        ("kepler.lorebook#Kepler", "Kepler", ("the planet",), True, "Kepler is dry.")
    ]


def test_a_character_card_gives_its_character_and_its_book() -> None:
    assert read(CARD, "jonas.json") == [
        ("jonas.json#Jonas", "Jonas", (), False, "Jonas is a captain.\n\nDry."),
        ("jonas.json#Ship", "Ship", ("ship",), False, "The ship is old."),
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "it is not valid JSON (line 1)"),
        (b'{"a": 1}', "it is JSON, but no lorebook: it has no list of entries"),
        (b"[1, 2]", "it is JSON, but no lorebook: it has no list of entries"),
        (b'{"entries": "x"}', "it is JSON, but no lorebook: it has no list of entries"),
        (b'{"entries": [1]}', "it is no lorebook: an entry is not an object"),
        (b"[" * 100_000, "it is nested too deep"),
    ],
)
def test_other_json_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        parse_lorebook(data, "a.json")
    assert caught.value.problem == reason


def test_entries_of_odd_types_do_not_break_the_rest() -> None:
    odd = [{"content": 5}, {"content": "a", "key": 7, "comment": 3}, {"text": "b", "keys": [1, ""]}]
    assert read({"entries": odd}) == [
        ("world.json#Entry", "Entry", (), False, "a"),
        ("world.json#Entry (2)", "Entry", (), False, "b"),
    ]
