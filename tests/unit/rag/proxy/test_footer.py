"""The footer: what it says, and that it is taken out again exactly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.rag.proxy.footer import footer, without_footer

ELENA = {"path": "characters/elena.md", "heading": "Elena Ruhl > Traits", "why": "name", "score": 1}
WAR = {"path": "plots/war.md", "heading": "The war", "why": "dense 0.5", "score": 1}
ALWAYS = {"path": "style/core.md", "heading": "Style", "why": "always", "score": 1}


def test_it_names_each_note_once_and_no_constant_ones() -> None:
    assert footer([ELENA, WAR, {**ELENA, "heading": "Elena Ruhl > Past"}, ALWAYS]) == (
        "\n\n---\nCanon consulted:\n"
        "- Elena Ruhl > Traits (characters/elena.md)\n- The war (plots/war.md)"
    )
    assert footer([ALWAYS]) == footer([]) == ""


@given(st.text(), st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_it_is_taken_out_exactly(text: str, heading: str) -> None:
    told = footer([{**ELENA, "heading": heading}, WAR])
    assert without_footer(text) == text or "Canon consulted:" in text
    assert without_footer(f"{text}{told}") == text


@pytest.mark.parametrize("gap", ["", "\n", " ", "\n\nAnd on it went."])
def test_text_behind_it_stays(gap: str) -> None:
    assert without_footer(f"She left.{footer([WAR])}{gap}") == f"She left.{gap}"


def test_two_of_them_and_a_trimmed_one() -> None:
    told = footer([WAR])
    assert without_footer(f"One.{told}\n\nTwo.{told}") == "One.\n\nTwo."
    assert without_footer(told.lstrip()) == ""


@pytest.mark.parametrize("text", ["---\nCanon consulted: nobody", "Canon consulted:\n- a (b)"])
def test_the_authors_own_lines_stay(text: str) -> None:
    assert without_footer(text) == text
