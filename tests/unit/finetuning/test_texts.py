"""Paragraphs, boilerplate, chapters, cuts and splits of manuscripts: by value and by property."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import parse_note
from scifi_llm.errors import ToolkitError
from scifi_llm.finetuning.boilerplate import is_dropped_heading, licence_span, why_dropped
from scifi_llm.finetuning.counting import token_counter, words_and_marks
from scifi_llm.finetuning.cutting import cut
from scifi_llm.finetuning.leakage import all_grams, repeated_paragraphs
from scifi_llm.finetuning.ledger import letters
from scifi_llm.finetuning.manuscript import (
    Chapter,
    Place,
    blocks_of,
    read_manuscript,
)
from scifi_llm.finetuning.paragraphs import paragraphs_of
from scifi_llm.finetuning.splitting import split_units

WORD = st.text("abcdefgh", min_size=1, max_size=6)
LINE = st.lists(WORD, min_size=1, max_size=30).map(" ".join)
TEXT = st.lists(
    st.one_of(LINE, st.sampled_from(["", "***", "   ", "* * *", "---"])), max_size=30
).map("\n".join)


def chapter_of(*texts: str, heading: str = "One", source: str = "a.md") -> Chapter:
    places, at = [], 0
    for text in texts:
        (paragraph,) = paragraphs_of(text)
        places.append(Place(paragraph, at, at + len(text)))
        at += len(text) + 2
    return Chapter(source, "Book", heading, tuple(places))


@given(TEXT)
def test_every_letter_is_in_exactly_one_paragraph(text: str) -> None:
    made = paragraphs_of(text)
    assert sum(letters(paragraph.text) for paragraph in made) == letters(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(made))
    for paragraph in made:
        assert paragraph.text.split() == text[paragraph.start : paragraph.end].split()


def test_wrapped_lines_are_joined_verse_is_not() -> None:
    wrapped = (
        "It was a bright cold day in the harbour, and the bells were\n"
        "striking thirteen. The keeper, his chin nuzzled into his coat,\n"
        "went in."
    )
    verse = "The lamp is low,\nthe river slow,\nand all I know"
    joined, lines = paragraphs_of(f"{wrapped}\n\n{verse}")
    assert "\n" not in joined.text
    assert lines.text == verse


def test_a_paragraph_on_each_line() -> None:
    first, second = "He went. " * 20, "She stayed. " * 20
    assert [p.text for p in paragraphs_of(f"{first}\n{second}")] == [first.strip(), second.strip()]


@pytest.mark.parametrize("mark", ["***", "* * *", "---", "#", "⁂", "~~~", "\\*", "— — —", "<hr>"])
def test_marks_between_scenes(mark: str) -> None:
    assert [p.mark for p in paragraphs_of(f"One.\n\n{mark}\n\nTwo.")] == [False, True, False]


def test_a_gap_is_noticed() -> None:
    assert [p.gap for p in paragraphs_of("One.\n\nTwo.\n\n\nThree.")] == [False, False, True]


def test_a_licence_is_outside_its_marks() -> None:
    text = (
        "Terms.\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\nProse.\n"
        "*** END OF THIS PROJECT GUTENBERG EBOOK X ***\nTerms."
    )
    start, end = licence_span(text)
    assert text[start:end].strip() == "Prose."
    assert licence_span("Prose.") == (0, 6)


@pytest.mark.parametrize(
    ("paragraph", "title_page", "at_edge", "reason"),
    [
        ("THE END", False, False, "end mark"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", False, False, "table"),
        ("Copyright © 2026 A. Author. All rights reserved.", False, True, "rights and licence"),
        ("“Copyright!” he cried.", False, False, ""),
        ("Chapter I ..... 3\nChapter II ..... 9", False, True, "contents"),
        ("I. The Door\nII. The Lamp\nIII. The Sea", False, True, "contents"),
        ("By A. Author", True, True, "title page"),
        ("He went out.", False, True, ""),
    ],
)
def test_why_a_paragraph_is_dropped(
    paragraph: str, title_page: bool, at_edge: bool, reason: str
) -> None:
    assert why_dropped(paragraph, title_page, at_edge) == reason


def test_headings_of_back_matter() -> None:
    dropped = ["Contents", "ACKNOWLEDGEMENTS", "About the Author", "*Dedication*"]
    assert [is_dropped_heading(text) for text in dropped] == [True] * 4
    assert not any(map(is_dropped_heading, ["Prologue", "Foreword", "The Index Case", "I"]))


def test_parts_are_divided_at_their_chapters_and_empty_headings_count() -> None:
    long = "Word. " * 9000
    parts = ["# B", "## Part", "### One", long, "### Two", long, "## Part 2", "### Three", "End."]
    text = "\n\n".join(parts)
    made = read_manuscript(parse_note(text, "b.md"))
    assert [chapter.heading for chapter in made.chapters] == ["One", "Two", "Three"]
    headings = [part.text for part in made.removed if part.reason == "heading"]
    assert {"B", "Part", "Part 2", "One", "Two", "Three"} >= set(headings)


def test_a_heading_with_nothing_below_it_is_counted_once() -> None:
    text = "# B\n\n## V\n\n## The Door\n\nHe went.\n\n## V\n\nShe went."
    made = read_manuscript(parse_note(text, "b.md"))
    assert [(c.heading, c.places[0].text) for c in made.chapters] == [
        ("The Door", "He went."),
        ("V", "She went."),
    ]
    assert [part.text for part in made.removed] == ["B", "V", "The Door", "V"]


def test_a_contents_list_of_plain_text_is_no_chapter() -> None:
    body = "He went out. " * 60
    first, second = "CHAPTER I", "CHAPTER II"
    text = "\n\n".join(["The Door", "Contents", first, second, first, body, second, body])
    made = read_manuscript(parse_note(text, "b.txt"))
    assert [(c.heading, len(c.places)) for c in made.chapters] == [
        ("CHAPTER I", 1),
        ("CHAPTER II", 1),
    ]


@pytest.mark.parametrize(
    "line", ["I said no.", "Part of me wanted to run.", "Civil.", "A letter", "Mix"]
)
def test_prose_is_no_heading(line: str) -> None:
    from scifi_llm.finetuning.manuscript import PLAIN_HEADING

    assert not PLAIN_HEADING.fullmatch(line)


@given(st.lists(LINE, min_size=1, max_size=25), st.integers(8, 200), st.booleans())
def test_cuts_lose_nothing_and_keep_the_limit(texts: list[str], limit: int, across: bool) -> None:
    marked = [part for text in texts for part in (text, "***")][:-1]
    chapter = chapter_of(*marked)
    pieces, marks = cut(chapter, limit, words_and_marks, across)
    kept = [place for piece in pieces for place in piece.places]
    assert sorted([*kept, *marks], key=lambda place: place.start) == list(chapter.places)
    assert all(place.paragraph.mark for place in marks)
    for piece in pieces:
        assert not piece.places[0].paragraph.mark
        assert not piece.places[-1].paragraph.mark
        assert words_and_marks(piece.text) <= limit or len(piece.places) == 1
        assert across or not any(place.paragraph.mark for place in piece.places)
    assert [piece.chapter_end for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_a_long_scene_is_cut_evenly() -> None:
    chapter = chapter_of(*["one two three four five six seven eight"] * 12)
    pieces, _ = cut(chapter, 50, words_and_marks, True)
    assert [len(piece.places) for piece in pieces] == [4, 4, 4]
    assert [(piece.scene_start, piece.scene_end) for piece in pieces] == [
        (True, False),
        (False, False),
        (False, True),
    ]


@given(st.lists(st.integers(1, 5000), min_size=3, max_size=40), st.integers(0, 9))
def test_every_chapter_is_in_one_split_and_none_is_empty(sizes: list[int], seed: int) -> None:
    chapters = [chapter_of("x", heading=str(i)) for i in range(len(sizes))]
    units = [[chapter] for chapter in chapters]
    made = split_units(units, 0.1, seed, lambda chapter: sizes[int(chapter.heading)])
    assert sorted(c.heading for part in made.values() for c in part) == sorted(
        c.heading for c in chapters
    )
    assert all(made.values())
    for split in ("validation", "test"):
        held_out = [sizes[int(chapter.heading)] for chapter in made[split]]
        assert sum(held_out) <= 0.15 * sum(sizes) or len(held_out) == 1


def test_two_chapters_are_too_few() -> None:
    with pytest.raises(ToolkitError, match="Only 2 of the three"):
        split_units([[chapter_of("x")]] * 2, 0.1, 1, lambda _: 1)


@given(st.lists(LINE, min_size=1, max_size=12), st.data())
def test_nothing_repeated_is_left(texts: list[str], data: st.DataObject) -> None:
    copied = data.draw(st.lists(st.sampled_from(texts), max_size=4))
    known = all_grams(["\n\n".join(copied)], 5)
    again = repeated_paragraphs(texts, known, 5)
    runs: list[list[str]] = [[]]
    for text, gone in zip(texts, again, strict=True):
        if gone:
            runs.append([])
        else:
            runs[-1].append(text)
    assert not all_grams(["\n\n".join(run) for run in runs], 5) & known
    if not known:
        assert not any(again)


def test_blocks_keep_all_paragraphs() -> None:
    chapter = chapter_of(*["word " * 400] * 20)
    blocks = blocks_of(chapter)
    assert [block.heading for block in blocks] == ["part 1 of 3", "part 2 of 3", "part 3 of 3"]
    assert tuple(place for block in blocks for place in block.places) == chapter.places


@given(TEXT, TEXT)
def test_words_and_marks_add_up(one: str, other: str) -> None:
    assert words_and_marks(f"{one}\n{other}") == words_and_marks(one) + words_and_marks(other)


def test_without_a_tokenizer_words_and_marks_are_counted(tmp_path: object) -> None:
    counter = token_counter(f"{tmp_path}/no-model")
    assert not counter.exact
    assert counter.count("“No,” she said.") == 7
    assert "words and marks" in counter.name
