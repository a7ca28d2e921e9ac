"""Scrivener projects of both layouts: order, titles, synopses, types, chapters; no trash."""

from __future__ import annotations

from pathlib import Path

import pytest

from scifi_llm.documents import Reading, read_folder
from scifi_llm.documents.scrivener import parse_xml
from scifi_llm.errors import ToolkitError

BINDER = """<?xml version="1.0" encoding="UTF-8"?>
<ScrivenerProject Version="2.0"><Binder>
<BinderItem {id}="D" Type="DraftFolder"><Title>Manuscript</Title><Children>
  <BinderItem {id}="C1" Type="Folder"><Title>Chapter One</Title><Children>
    <BinderItem {id}="S1" Type="Text"><Title>The Quay &amp; Co</Title></BinderItem>
    <BinderItem {id}="S2" Type="Text"><Title>3 days later</Title></BinderItem>
  </Children></BinderItem>
  <BinderItem {id}="C2" Type="Folder"><Title>{second}</Title><Children>
    <BinderItem {id}="S3" Type="Text"><Title></Title></BinderItem>
    <BinderItem {id}="S4" Type="Text"><Title></Title></BinderItem>
  </Children></BinderItem>
</Children></BinderItem>
<BinderItem {id}="P" Type="Folder"><Title>Characters</Title><Children>
  <BinderItem {id}="E" Type="Text"><Title>Elena</Title></BinderItem></Children></BinderItem>
<BinderItem {id}="R" Type="ResearchFolder"><Title>Research</Title><Children>
  <BinderItem {id}="T" Type="Text"><Title>Tides</Title></BinderItem>
  <BinderItem {id}="I" Type="Image"><Title>Map</Title></BinderItem></Children></BinderItem>
<BinderItem {id}="X" Type="TrashFolder"><Title>Trash</Title><Children>
  <BinderItem {id}="G" Type="Text"><Title>Gone</Title></BinderItem></Children></BinderItem>
</Binder></ScrivenerProject>"""
TEXTS = {"S1": "At the quay.", "S2": "Later.", "S3": "Third.", "S4": "Fourth.",
         "E": "Elena is kind.", "T": "Tides turn.", "G": "Gone."}  # fmt: skip


def project(folder: Path, layout: int = 3, second: str = "Chapter 2") -> Path:
    """A small project in the layout of Scrivener 2 or 3."""
    root = folder / "My Book.scriv"
    (root / "Files" / "Docs").mkdir(parents=True)
    name = "UUID" if layout == 3 else "ID"
    (root / "My Book.scrivx").write_text(BINDER.format(id=name, second=second), "utf-8")
    for key, text in {**TEXTS, "S1_notes": "Private."}.items():
        write(root, layout, key, "rtf", rf"{{\rtf1\ansi {text}\par}}")
    write(root, layout, "S1", "synopsis", "They meet.")
    return root


def write(root: Path, layout: int, key: str, kind: str, text: str) -> None:
    if layout == 3:
        name = "content.rtf" if kind == "rtf" else "synopsis.txt"
        file = root / "Files" / "Data" / key / name
    else:
        name = f"{key}.rtf" if kind == "rtf" else f"{key}_synopsis.txt"
        file = root / "Files" / "Docs" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def rows(reading: Reading) -> list[tuple[str, tuple[str, ...], str, int | None, str]]:
    return [
        (part.note.path.removeprefix("My Book.scriv/"), part.heading, part.note.type,
         part.note.chapter, part.text.strip())
        for part in reading.sections
    ]  # fmt: skip


@pytest.mark.parametrize("layout", [2, 3])
def test_a_project_is_read_in_the_order_of_its_binder(tmp_path: Path, layout: int) -> None:
    project(tmp_path, layout)
    reading = read_folder(tmp_path)
    assert reading.bad == []
    one, two = "Manuscript/Chapter One/", "Manuscript/Chapter 2/"
    quay = "The Quay & Co"
    assert rows(reading) == [
        (one + quay, (quay, "Synopsis"), "chapter", 1, "They meet."),
        (one + quay, (quay,), "chapter", 1, "At the quay."),
        (one + "3 days later", ("3 days later",), "chapter", 1, "Later."),
        (two + "Untitled", ("Untitled",), "chapter", 2, "Third."),
        (two + "Untitled (2)", ("Untitled",), "chapter", 2, "Fourth."),
        ("Characters/Elena", ("Elena",), "character", None, "Elena is kind."),
        ("Research/Tides", ("Tides",), "research", None, "Tides turn."),
    ]
    assert reading.sections[0].note.title == quay
    assert reading.unnumbered_chapters == []


def test_chapters_that_begin_anew_have_no_number(tmp_path: Path) -> None:
    project(tmp_path, second="Chapter 1")
    reading = read_folder(tmp_path)
    assert {row[3] for row in rows(reading)} == {None}
    assert len(reading.unnumbered_chapters) == 4


def test_a_bad_text_is_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "Files" / "Data" / "S2" / "content.rtf").write_text("no rtf")
    (root / "Files" / "Data" / "E" / "content.rtf").unlink()
    (root / "Files" / "Data" / "E" / "content.rtf").symlink_to("/etc/passwd")
    reading = read_folder(tmp_path)
    assert dict(reading.bad) == {
        "My Book.scriv/Manuscript/Chapter One/3 days later": "it is no RTF, in spite of its name",
        "My Book.scriv/Characters/Elena": "it is a link to a file outside the notes' folder",
    }
    assert len(reading.sections) == 5


@pytest.mark.parametrize(
    ("binder", "reason"),
    [
        (None, "it is no Scrivener project: it holds no .scrivx file"),
        ("<ScrivenerProject><Binder>", "its XML is damaged in line 1 (no element found)"),
        ("<ScrivenerProject/>", "its .scrivx file has no binder"),
        ("", "its XML is damaged in line 1 (no element found)"),
        (
            '<!DOCTYPE a [<!ENTITY b "ha">]><a>&b;</a>',
            "its XML has a document type, which Scrivener does not write",
        ),
        (
            "<a><Binder>"
            + "<BinderItem Type='Folder'><Children>" * 200
            + "</Children></BinderItem>" * 200
            + "</Binder></a>",
            "its binder is nested too deep",
        ),
    ],
)
def test_broken_projects(tmp_path: Path, binder: str | None, reason: str) -> None:
    (tmp_path / "A.scriv").mkdir()
    (tmp_path / "b.md").write_text("Text.")
    if binder is not None:
        (tmp_path / "A.scriv" / "A.scrivx").write_text(binder)
    reading = read_folder(tmp_path)
    assert (reading.files, reading.bad) == (2, [("A.scriv", reason)])
    assert len(reading.sections) == 1


def test_an_id_cannot_leave_the_project(tmp_path: Path) -> None:
    root = project(tmp_path)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "content.rtf").write_text(r"{\rtf1 Outside}")
    file = root / "My Book.scrivx"
    file.write_text(file.read_text().replace('"S2"', '"../../../outside"'))
    reading = read_folder(tmp_path)
    assert reading.bad == [
        ("My Book.scriv/Manuscript/Chapter One/3 days later",
         "its id in the binder is none of Scrivener's")
    ]  # fmt: skip


def test_xml_in_other_encodings() -> None:
    data = '<?xml version="1.0" encoding="UTF-16"?><a><Title>Ö</Title></a>'.encode("utf-16")
    assert parse_xml(data).findtext("Title") == "Ö"
    with pytest.raises(ToolkitError, match="damaged"):
        parse_xml(b"<a>\xff</a>")
