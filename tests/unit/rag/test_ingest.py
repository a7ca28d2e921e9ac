"""Sections on disk, and what an author is told of the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import Note, Reading, Section
from scifi_llm.errors import ToolkitError
from scifi_llm.rag.ingest import (
    FORMAT,
    choose_source,
    read_sections,
    report,
    sections_file,
    write_sections,
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.lists(WORDS, max_size=3).map(tuple)
NUMBERS = st.none() | st.integers(0, 99)
SECTIONS = st.builds(
    Section,
    st.builds(Note, WORDS, WORDS, WORDS, NAMES, st.booleans(), NUMBERS, NUMBERS,
              st.none() | NAMES, NAMES, NUMBERS),
    NAMES, WORDS, st.integers(0, 9), st.integers(0, 9),
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=2).map(tuple),
)  # fmt: skip


@given(st.lists(SECTIONS, max_size=4))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, sections: list[Section]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "chunks"
    write_sections(sections_file(folder), "data", sections)
    assert read_sections(folder) == ("data", sections)
    assert [file.name for file in folder.iterdir()] == ["sections.jsonl"]


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    old = [Section(Note("a.md", "A"), (), "Old.", 0, 4)]
    write_sections(sections_file(tmp_path), "data", old)

    def broken() -> object:
        yield from old
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sections(sections_file(tmp_path), "data", broken())  # type: ignore[arg-type]
    assert read_sections(tmp_path) == ("data", old)
    assert len(list(tmp_path.iterdir())) == 1


def test_sections_of_another_version_are_refused(tmp_path: Path) -> None:
    # Format 1 had the author's comments in it.
    header = json.dumps({"format": FORMAT - 1, "source": "data"})
    sections_file(tmp_path).write_text(header + "\n")
    with pytest.raises(ToolkitError, match="Write it again with: "):
        read_sections(tmp_path)


def test_a_folder_with_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "map.png").write_bytes(b"x")
    with pytest.raises(ToolkitError, match="holds no notes"):
        choose_source(tmp_path)
    (tmp_path / "Book.scriv").mkdir()
    assert choose_source(tmp_path) == (tmp_path, "data")


def test_each_fault_is_one_line_with_what_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    draft = "sub/Book.scriv/Draft/"
    report(
        Reading(
            bad=[("a b.md", "it is no regular file"), ("x.pdf", "it is encrypted")],
            unnumbered_chapters=["chapters/end.md", "chapters/end.docx", draft + "A", draft + "B"],
            partly_numbered=["chapters/novel.md"],
        )
    )
    assert capsys.readouterr().err.splitlines() == [
        "[WARN] Left out a b.md: it is no regular file. Mend the file and run this again.",
        "[WARN] Left out x.pdf: it is encrypted. Mend the file and run this again.",
        "[WARN] 2 texts of sub/Book.scriv have no chapter number and are hidden by as_of. "
        'Name the folders of the draft "Chapter 1", "Chapter 2" and so on.',
        "[WARN] chapters/end.md has no chapter number and is hidden by as_of. "
        "Add `chapter: N` to it.",
        "[WARN] chapters/end.docx has no chapter number and is hidden by as_of. "
        "Put the number into its name, such as chapter-03.docx.",
        "[WARN] chapters/novel.md: what stands outside of its numbered chapters is hidden "
        "by as_of.",
    ]
