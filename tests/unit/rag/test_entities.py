"""Names in questions: whole words, aliases, everyday words, hidden notes."""

from __future__ import annotations

import pytest

from scifi_llm.documents import Note
from scifi_llm.rag.entities import Names

NOTES = [
    Note("elena.md", "Elena Ruhl", aliases=("the Needle",)),
    Note("obuya.md", "Elena Obuya"),
    Note("table.md", "The Oak Table", aliases=("the Table",)),
    Note("storm.md", "The Storm", aliases=("the Murmur",)),
    Note("ship.md", "Signal", aliases=("the Murmur", "Þórunn")),
    Note("the.md", "The"),
]
TEXTS = ["He put it on the table. A needle fell, a storm came, the signal rang, of oak."]


@pytest.fixture(scope="module")
def names() -> Names:
    return Names(NOTES, TEXTS)


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Who is Elena Ruhl?", {"Elena Ruhl": {"elena.md"}}),
        ("who is ELENA RUHL’s brother", {"Elena Ruhl": {"elena.md"}}),
        ("What happened to Elena?", {}),
        ("Who sits at the Table?", {"the Table": {"table.md"}}),
        ("Who sits at the table?", {}),
        ("The Table is set.", {"the Table": {"table.md"}}),
        ("Is the Oak Table big?", {"The Oak Table": {"table.md"}}),
        ("What is the Murmur?", {"the Murmur": {"storm.md", "ship.md"}}),
        ("what is the murmur", {"the Murmur": {"storm.md", "ship.md"}}),
        ("Where is thorunn now?", {"Þórunn": {"ship.md"}}),
        ("The Needles", {}),
        ("The", {}),
        ("", {}),
    ],
)
def test_names_are_found(names: Names, question: str, found: dict[str, set[str]]) -> None:
    assert {hit.name: set(hit.paths) for hit in names.find(question)} == found


def test_the_longer_name_wins(names: Names) -> None:
    notes = [Note("a.md", "Ruhl"), Note("b.md", "Elena Ruhl")]
    assert [hit.name for hit in Names(notes, []).find("Elena Ruhl and Ruhl")] == [
        "Elena Ruhl", "Ruhl",
    ]  # fmt: skip
    assert [hit.name for hit in Names(notes, []).find("Elena Ruhl")] == ["Elena Ruhl"]


def test_a_collection_without_names_finds_none() -> None:
    assert Names([], []).find("Elena Ruhl") == []
