"""Reading notes: front matter, headings, and every file that cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm import documents
from scifi_llm.documents import Note, Section, find_headings, parse_note, read_folder
from scifi_llm.documents.markdown import parse_text
from scifi_llm.errors import ToolkitError

NOTE = """---
type: character
aliases: [the Quartermaster, Lena]
always: true
from_chapter: 2
until_chapter: 4
known_by: [Elena Ruhl]
related: [The Long Ship]
---
# Elena Ruhl

Intro.

## Key traits

Patient.

```
# not a heading
```

### Fears
Silence.

## Key traits
Again.
"""


def test_a_note_becomes_sections_with_heading_paths_and_offsets() -> None:
    sections = parse_note(NOTE, "characters/elena.md")
    assert [section.heading for section in sections] == [
        ("Elena Ruhl",),
        ("Elena Ruhl", "Key traits"),
        ("Elena Ruhl", "Key traits", "Fears"),
        ("Elena Ruhl", "Key traits"),
    ]
    assert all(NOTE[s.start : s.end] == s.text for s in sections)
    assert "# not a heading" in sections[1].text
    assert sections[0].note == Note(
        path="characters/elena.md",
        title="Elena Ruhl",
        type="character",
        aliases=("the Quartermaster", "Lena"),
        always=True,
        from_chapter=2,
        until_chapter=4,
        known_by=("Elena Ruhl",),
        related=("The Long Ship",),
    )


def test_a_text_without_anything_is_one_section_named_by_its_file() -> None:
    (section,) = parse_note("Just prose.\n", "research/old_notes.txt")
    assert (section.note.title, section.heading) == ("old notes", ())
    assert section.note.known_by is None


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("chapters/chapter-03-the-well.md", 3),
        ("chapters/Ch 12.md", 12),
        ("chapters/07_title.md", 7),
        ("chapters/epilogue.md", None),
        ("chapters/2045-fire.md", None),
        ("chapters/12b.md", 12),
    ],
)
def test_the_chapter_number_comes_from_the_file_name(name: str, number: int | None) -> None:
    (section,) = parse_note("Text.", name)
    assert (section.note.type, section.note.chapter) == ("chapter", number)


def test_setext_headings_and_what_is_none() -> None:
    source = (
        "The Quay\n========\n\nWet.\n\nThe Deep\n---\nCold.\n\n"
        "A paragraph\nof two lines.\n---\nAfter a scene break.\n\n- item\n---\n\n> quote\n---\n\n"
        "```\nCode\n===\n```\n\n| a |\n| --- |\n"
    )
    sections = parse_note(source, "a.md")
    assert [section.heading for section in sections] == [("The Quay",), ("The Quay", "The Deep")]
    assert sections[0].text == "\nWet.\n\n"
    assert sections[1].text == source[source.index("Cold.") :]


@pytest.mark.parametrize(
    ("line", "titles"),
    [
        ("# A #", ["A"]),
        ("### C# ##", ["C#"]),
        ("# C#", ["C#"]),
        ("  ## B", ["B"]),
        ("#\tTab", ["Tab"]),
        ("#tag", []),
        ("####### seven", []),
        ("    # code", []),
        ("#", []),
        ("# ", []),
        ("## ##", []),
    ],
)
def test_atx_headings(line: str, titles: list[str]) -> None:
    assert [heading.title for heading in find_headings(f"x\n\n{line}\ny")] == titles


def test_code_ends_only_at_its_own_fence() -> None:
    source = "````\n# a\n```\n# b\n~~~~\n`````\n# Real\nText.\n~~~\n# c"
    assert [heading.title for heading in find_headings(source)] == ["Real"]


def test_a_heading_with_nothing_below_it_is_text() -> None:
    sections = parse_note("# Facts\n\n## Elena is left-handed\n\n## The quay is wet\n", "a.md")
    assert [section.text.strip() for section in sections] == [
        "## Elena is left-handed",
        "## The quay is wet",
    ]


def test_chapters_of_a_plain_text_are_lines_by_themselves() -> None:
    source = "THE SHIP\n\nCHAPTER I\n\nOne.\n\n  Chapter II. Dawn\n\nTwo. Chapter 3\nfollows.\n"
    sections = parse_text(source, "chapters/ship.txt")
    assert [(s.heading, s.note.chapter, s.text.strip()) for s in sections] == [
        ((), None, "THE SHIP"),
        (("CHAPTER I",), 1, "One."),
        (("Chapter II. Dawn",), 2, "Two. Chapter 3\nfollows."),
    ]
    assert all(source[s.start : s.end] == s.text for s in sections)
    # A Markdown file has headings for that.
    assert len(parse_note(source, "chapters/ship.md")) == 1


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("characters/elena.md", "character"),
        ("Book/Characters/main/elena.md", "character"),
        ("plots/a.md", "plot"),
        ("research/chapters/a.md", "chapter"),
        ("style/a.md", "style"),
        ("worldbuilding/a.md", ""),
        ("a.md", ""),
        ("characters.md", ""),
    ],
)
def test_the_type_comes_from_the_nearest_known_folder(path: str, kind: str) -> None:
    (section,) = parse_note("Text.", path)
    assert section.note.type == kind


def test_what_editors_make_of_front_matter() -> None:
    source = """---
type: Chapter
chapter: "3"
alias: Lena, the Quartermaster
aliases: Lena
related:
  -
from_chapter: ""
tags: [a, b]
created: 2045-01-02
---
Text."""
    (section,) = parse_note(source, "x/Some_note-1.md")
    assert section.note == Note(
        path="x/Some_note-1.md",
        title="Some note 1",
        type="chapter",
        aliases=("Lena", "the Quartermaster"),
        chapter=3,
    )


def test_front_matter_wins_over_the_file_name() -> None:
    (section,) = parse_note("---\nchapter: 5\ntype: chapter\n---\nText.", "chapters/chapter-03.md")
    assert section.note.chapter == 5


def test_a_number_in_another_notes_name_is_no_chapter() -> None:
    (section,) = parse_note("Text.", "worldbuilding/station-7.md")
    assert section.note.chapter is None


def test_a_rule_at_the_top_is_no_front_matter() -> None:
    (section,) = parse_note("---\nA line, then a rule.\n", "a.md")
    assert section.text.startswith("---")


@pytest.mark.parametrize(
    ("front", "reason"),
    [
        ("type: [broken", "its front matter is not valid YAML"),
        ("- a\n- b", "its front matter is not a list of `key: value` lines"),
        ("always: maybe", "its key 'always' has value 'maybe'; use true or false"),
        ("from_chapter: two", "its key 'from_chapter' has value 'two'; use a chapter number"),
        ("chapter: true", "its key 'chapter' has value True; use a chapter number"),
        ("type: [a]", "its key 'type' has value ['a']; use one word, such as chapter"),
        ("known_by: {a: 1}", "its key 'known_by' is not a list of names"),
    ],
)
def test_broken_front_matter_is_refused_with_its_reason(front: str, reason: str) -> None:
    # A note whose rules are unclear may be hiding a secret: it must not be read without them.
    with pytest.raises(ToolkitError) as caught:
        parse_note(f"---\n{front}\n---\nText.", "a.md")
    assert caught.value.problem.startswith(reason)


def test_front_matter_that_does_not_end_is_refused() -> None:
    with pytest.raises(ToolkitError, match="no closing ---"):
        parse_note("---\nknown_by: [Elena]\n\nThe secret.", "a.md")


def test_bad_files_are_listed_and_the_rest_is_read(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "good one ✨.md").write_text("# Good\nText.", "utf-8")
    (notes / "latin.md").write_bytes("Café".encode("latin-1"))
    (notes / "nul.txt").write_bytes(b"a\0b")
    (notes / "broken.md").write_text("---\na: [\n---\nText", "utf-8")
    (notes / "bom.md").write_bytes(b"\xef\xbb\xbf---\ntype: place\n---\r\n# Quay\r\nText.\r\n")
    (notes / ".hidden.md").write_text("no", "utf-8")
    (notes / "picture.png").write_bytes(b"\x89PNG")
    secret = tmp_path / "secret.md"
    secret.write_text("outside", "utf-8")
    (notes / "link.md").symlink_to(secret)
    (notes / "dangling.md").symlink_to(notes / "gone.md")
    (notes / "chapters").mkdir()
    (notes / "chapters" / "prologue.md").write_text("Text.", "utf-8")
    reading = read_folder(notes)
    assert dict(reading.bad) == {
        "latin.md": "it is not UTF-8 text (byte 3); "
        "from Windows-1252 convert it with: iconv -f CP1252 -t UTF-8 OLD > NEW",
        "nul.txt": "it holds NUL bytes, so it is no text file",
        "broken.md": "its front matter is not valid YAML in line 3",
        "link.md": "it is a link to a file outside the notes' folder",
        "dangling.md": "it cannot be read (No such file or directory)",
    }
    assert {s.note.path for s in reading.sections} == {
        "good one ✨.md",
        "bom.md",
        "chapters/prologue.md",
    }
    assert reading.files == 8
    assert reading.unnumbered_chapters == ["chapters/prologue.md"]
    bom = next(s for s in reading.sections if s.note.path == "bom.md")
    assert (bom.note.type, bom.note.title, bom.text) == ("place", "Quay", "Text.\n")


def test_a_huge_file_is_left_out_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "huge.txt"
    with file.open("wb") as out:
        os.truncate(out.fileno(), documents.MAX_BYTES + 1)
    (reason,) = [reason for _, reason in read_folder(tmp_path).bad]
    assert reason == "it is larger than 50 MB (50 MB)"


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=300))
def test_any_text_is_read_or_refused_and_offsets_hold(text: str) -> None:
    try:
        sections = parse_note(text, "a.md")
    except ToolkitError:
        return
    for section in sections:
        assert text[section.start : section.end] == section.text
        assert Section.from_record(json.loads(json.dumps(section.as_record()))) == section
