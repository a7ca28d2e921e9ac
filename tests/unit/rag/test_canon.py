"""The canon rules, by the contract's own words and by property."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import Note
from scifi_llm.rag.canon import visible

NOTE = Note(path="a.md", title="A")
CHAPTERS = st.one_of(st.none(), st.integers(0, 9))


@pytest.mark.parametrize(
    ("keys", "as_of", "shown"),
    [
        ({}, 1, True),
        ({"from_chapter": 3}, 2, False),
        ({"from_chapter": 3}, 3, True),
        ({"until_chapter": 2}, 2, True),
        ({"until_chapter": 2}, 3, False),
        ({"type": "chapter", "chapter": 3}, 2, False),
        ({"type": "chapter", "chapter": 3}, 3, True),
        ({"type": "chapter"}, 9, False),
        ({"type": "chapter"}, None, True),
        ({"from_chapter": 3}, None, True),
    ],
)
def test_as_of_is_inclusive(keys: dict[str, object], as_of: int | None, shown: bool) -> None:
    assert visible(replace(NOTE, **keys), as_of) is shown  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known_by", "pov", "shown"),
    [
        (None, "Elena Ruhl", True),
        (("Elena Ruhl",), "elena ruhl ", True),
        (("Elena Ruhl",), "Elena Obuya", False),
        ((), "Elena Ruhl", False),
        (("Elena Ruhl",), None, True),
    ],
)
def test_pov_asks_known_by(known_by: tuple[str, ...] | None, pov: str | None, shown: bool) -> None:
    assert visible(replace(NOTE, known_by=known_by), None, pov) is shown


@given(CHAPTERS, CHAPTERS, CHAPTERS, st.integers(0, 9))
def test_nothing_of_the_future_is_shown(
    chapter: int | None, first: int | None, last: int | None, as_of: int
) -> None:
    note = replace(NOTE, chapter=chapter, from_chapter=first, until_chapter=last)
    expected = (
        (chapter is None or chapter <= as_of)
        and (first is None or first <= as_of)
        and (last is None or as_of <= last)
    )
    assert visible(note, as_of) is expected
