"""Chapter numbers: what is plain, and that everything else has none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import Section, parse_note
from scifi_llm.documents.chapters import (
    NOVEL_WORDS,
    chapters_of_headings,
    number_in_heading,
    number_in_name,
)
from scifi_llm.rag.canon import visible


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("chapter-03-the-well", 3),
        ("Ch 12", 12),
        ("07_title", 7),
        ("part_2_chapter_4", 4),
        ("Chapter One", 1),
        ("chapter_twenty-one_the_well", 21),
        ("Chapter Sixteen", 16),
        ("chapter-iv", 4),
        ("Chapter XIV - The Well", 14),
        ("chapter-ix-the-well", 9),
        ("chapter-i-hate-mondays", None),
        ("chapter-one", 1),
        ("chapter-onerous", None),
        ("Chapter C", None),
        ("epilogue", None),
        ("2045-fire", None),
        ("epoch 3", None),
        ("the well", None),
    ],
)
def test_number_in_a_name(name: str, number: int | None) -> None:
    assert number_in_name(name) == number


@pytest.mark.parametrize(
    ("heading", "number"),
    [
        ("Chapter 3", 3),
        ("CHAPTER IV. ON THE ARIZONA HILLS", 4),
        ("Chapter 12: The Well", 12),
        ("Chapter 7 The Well", 7),
        ("**Chapter Twenty-One** — Down", 21),
        ("Chapter I.", 1),
        ("Chapter I Hate", None),
        ("Chapter Ten Men Out", None),
        ("Chapter 3.5", None),
        ("Chapter 3-4", None),
        ("Chapter 3 and 4", None),
        ("Chapter 3rd", None),
        ("Chapter IV–V", None),
        ("Chapter I, II: Both", None),
        ("Chapter One to Three", None),
        ("Chapter 3 – 12 March 2045", 3),
        ("Chapter One—Dawn", 1),
        ("Chapter IV – X marks the spot", 4),
        ("Chapter 2001", None),
        ("Chapters", None),
        ("III", None),
        ("3. Dawn", None),
        ("Part 2", None),
    ],
)
def test_number_in_a_heading(heading: str, number: int | None) -> None:
    assert number_in_heading(heading) == number


def flat(*titles: str, level: int = 2) -> list[tuple[int, str]]:
    return [(level, title) for title in titles]


def test_numbers_of_a_whole_novel() -> None:
    titles = flat("Foreword", "Chapter 1", "Chapter 2. Dawn", "Interlude", "Chapter 4", "Epilogue")
    assert chapters_of_headings(titles, 0) == [None, 1, 2, None, 4, None]


@pytest.mark.parametrize(
    "titles",
    [
        flat("Chapter 1", "Chapter 2", "Chapter 1"),  # parts that begin anew
        flat("Chapter 1", "Chapter 1"),
        flat("Chapter 2", "Chapter 1"),
        [(1, "Chapter 1"), (2, "Chapter 2")],
        flat("I", "II", "III", "IV", "V"),  # scenes of one chapter
        flat("1", "2"),
    ],
)
def test_what_is_not_plain_has_no_number(titles: list[tuple[int, str]]) -> None:
    assert chapters_of_headings(titles, 3_000) == [None] * len(titles)


def test_bare_numbers_count_in_a_text_as_long_as_a_novel() -> None:
    titles = flat("Preface", "I. Introduction", "II. The Machine", "III", "IV", "V", "VI: End")
    assert chapters_of_headings(titles, NOVEL_WORDS) == [None, 1, 2, 3, 4, 5, 6]
    assert chapters_of_headings(titles[:4] + titles[5:], NOVEL_WORDS) == [None] * 6  # a gap
    assert (
        chapters_of_headings(flat("BOOK ONE", "I", "II", "III", "IV", "V", "I", "II"), NOVEL_WORDS)
        == [None] * 8
    )
    long = flat("1984: A Year", "I Am Legend", "V for Vendetta", "X", "C", "D")
    assert chapters_of_headings(long, NOVEL_WORDS) == [None] * 6


def sections(*parts: str, path: str = "chapters/novel.md") -> list[Section]:
    return parse_note("\n\n".join(parts), path)


def test_sections_carry_the_chapter_that_their_headings_say() -> None:
    found = sections("# Novel", "Title page.", "## Chapter 1", "One.", "### Scene", "Two.",
                     "## Chapter 2", "Three.", "## Epilogue", "Four.")  # fmt: skip
    assert [part.note.chapter for part in found] == [None, 1, 1, 2, None]
    shown = [part.text.strip() for part in found if visible(part.note, as_of=1)]
    assert shown == ["One.", "Two."]


def test_the_author_and_then_the_name_of_the_file_come_first() -> None:
    front = "---\nchapter: 9\n---\n"
    assert {p.note.chapter for p in sections(front + "# Chapter 1\n\nA.", "# Chapter 2\n\nB.")} == {
        9
    }
    assert {
        p.note.chapter for p in sections("# Chapter 7\n\nA.", path="chapters/chapter-03.md")
    } == {3}
    # A whole novel named 01_draft.md is not chapter 1 from end to end.
    draft = sections(
        "Title.", "# Chapter 1\n\nA.", "# Chapter 2\n\nB.", path="chapters/01_draft.md"
    )
    assert [part.note.chapter for part in draft] == [None, 1, 2]


def test_only_chapters_are_numbered() -> None:
    (section,) = sections("# Chapter 1\n\nA.", path="research/book.md")
    assert section.note.chapter is None


@st.composite
def novels(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """A novel in one file and the true chapter of each of its words."""
    lines: list[str] = []
    truth: dict[str, int] = {}
    spell = draw(st.sampled_from(["Chapter {}", "CHAPTER {}.", "{}", "{}. Dawn", "Part {}"]))
    restarts = draw(st.booleans())
    chapter = 0
    for part in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            lines += [f"# Part {part + 1}", f"intro{part}"]
            truth[f"intro{part}"] = chapter + 1
        for i in range(draw(st.integers(0, 4))):
            chapter += 1
            number = i + 1 if restarts else chapter
            word = f"word{chapter}"
            lines += [f"## {spell.format(number)}", word]
            truth[word] = chapter
            if draw(st.booleans()):
                lines += [f"### {draw(st.sampled_from(['1', 'II', 'Scene']))}", word + "s"]
                truth[word + "s"] = chapter
    return "\n\n".join(lines), truth


@given(novels())
def test_a_text_is_never_shown_before_its_chapter(novel: tuple[str, dict[str, int]]) -> None:
    source, truth = novel
    for part in parse_note(source, "chapters/novel.md"):
        for word in part.text.split():
            assert not visible(part.note, as_of=truth[word] - 1)
