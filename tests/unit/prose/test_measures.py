"""Measures by value; the parts of a page; cohesion; what models overuse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.prose import measures
from scifi_llm.prose.cohesion import cohesion
from scifi_llm.prose.slop import not_but_per_1000, slop_per_1000
from scifi_llm.prose.text import read_page, split_sentences

STORY = [
    "The lamp in the gallery had gone out.",
    "Mara lifted the lamp and shook it, and the oil in it spoke.",
    "“Who filled this?” she asked.",
    "“I did,” said Tomas.",
    "He looked at his boots.",
    "His boots were wet to the ankle.",
    "Outside the snow had begun again, and the dogs were quiet.",
    "The snow lay on the roofs of the harbour, and on the roofs of the boats.",
    "One boat was missing.",
    "Its rope hung from the ring.",
]
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=60)


@pytest.mark.parametrize(
    ("words", "window", "expected"),
    [("a b a b", 2, 1.0), ("a a a a", 2, 0.5), ("a b c", 10, 1.0), ("a a b", 2, 0.75)],
)
def test_mattr(words: str, window: int, expected: float) -> None:
    assert measures.mattr(words.split(" "), window) == expected


@given(WORDS)
def test_mattr_and_repeats_are_shares(words: list[str]) -> None:
    assert 0 <= measures.mattr(words, 5) <= 1
    assert 0 <= measures.repeated(words, 3) <= 1


def test_mtld_of_a_loop_and_of_different_words() -> None:
    assert measures.mtld(["the", "ship"] * 50) < 5
    assert measures.mtld([f"w{i}" for i in range(100)]) == 100


def test_repeated() -> None:
    assert measures.repeated(list("abcabc"), 3) == 0.25
    assert measures.repeated(["a"], 3) == 0.0


def test_copies_with_other_names_are_copies() -> None:
    one = "At the gate Mara gave Tomas her cup."
    two = "At the gate Ilse gave Bruno her cup."
    assert measures.masked_words(one) == measures.masked_words(two)


def test_dialogue_share_of_all_kinds_of_quotes() -> None:
    for text in (
        '"Go now," he said to me.',
        "“Go now,” he said to me.",
        "‘Go now,’ he said to me.",
    ):
        assert measures.dialogue_share(read_page(text)) == pytest.approx(2 / 6)
    assert measures.dialogue_share(read_page("He didn't go. It's late.")) == 0


def test_sentences() -> None:
    text = "Mr. Holt came at 5.30 p.m. with Dr. Rao. “Is it?” he asked. “It is!” No… Yes."
    assert split_sentences(text) == [
        "Mr. Holt came at 5.30 p.m. with Dr. Rao.", "“Is it?” he asked.", "“It is!”", "No…", "Yes.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "- one thing\n- another thing\n- a third thing",
        "1. first\n2. second\n3. third",
        "| a | b |\n| --- | --- |\n| c | d |",
        "```\nsome code here\n```",
        "apples\npears\nplums\ncherries\nquinces",
    ],
)
def test_lists_tables_and_code_are_no_prose(text: str) -> None:
    page = read_page(text)
    assert page.paragraphs == ()
    assert page.other > 0


def test_headings_front_matter_and_marks_are_left_out() -> None:
    page = read_page(
        "---\ntype: chapter\n---\n# One\n\nCHAPTER TWO\n\nShe *knew* it.\n\n---\n\nHe did not."
    )
    assert page.paragraphs == ("She knew it.", "He did not.")


def test_wrapped_lines_are_one_paragraph_and_lines_of_talk_are_several() -> None:
    wrapped = (
        "The ship came down slowly over the white hills and nobody on\nboard of her said a word."
    )
    assert len(read_page(wrapped).paragraphs) == 1
    assert len(read_page('"Go."\n"I will not."\n"Then stay."').paragraphs) == 3


def test_cohesion_needs_sentences_and_sees_order() -> None:
    assert cohesion(["One.", "Two."]) is None
    ordered = cohesion(STORY)
    torn = cohesion([*STORY[::2], *STORY[1::2]])
    assert ordered is not None
    assert torn is not None
    assert ordered > torn


def test_slop_and_not_but() -> None:
    assert slop_per_1000("A tapestry of light. " * 5) == 250
    assert slop_per_1000("A rug on the floor.") == 0
    assert not_but_per_1000("It was not a sound, but a weight. " * 5) > 100
    assert not_but_per_1000("It wasn't a signal. It was a song.") > 100
    assert not_but_per_1000("She was not late, and nobody minded.") == 0


def test_orphan_quotes() -> None:
    talk = '"Go," he said. "Now."\n\n"I will not," she said--"not alone."'
    assert measures.orphan_quotes(talk) == 0
    assert measures.orphan_quotes(talk.replace('"', "”")) == 0
    monologue = "“One long speech.\n\n“It goes on.\n\n“And ends here.” “Does it?”"
    assert measures.orphan_quotes(monologue) == 0
    torn = "It ends.” He rose. She did.” “Why?” It was.”"
    assert measures.orphan_quotes(torn) == 0.4
    assert measures.orphan_quotes('He said "no".') != measures.orphan_quotes("none")  # both nan


@pytest.mark.parametrize("text", ["." * 200_000, "Mara was. " + "!" * 100_000 + " Then."])
def test_runs_of_marks_are_read_at_once(text: str) -> None:
    assert len(read_page(text).prose) < 60
