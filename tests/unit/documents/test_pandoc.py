"""docx, odt, epub and html: their text, and archives that are damaged or bombs."""

from __future__ import annotations

import io
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from scifi_llm.documents import read_folder
from scifi_llm.documents.pandoc import MAX_UNPACKED, _program, clean_archive, convert
from scifi_llm.errors import ToolkitError

SOURCE = """---
title: The Long Ship
---
# Chapter One

She said “no” 5 * 3 times, at [[the]] **quay**.[^1]

> Quoted.

- one
- two

## Scene

| a | b |
|---|---|
| 1 | 2 |

[^1]: A note.
"""


def made(format_: str, source: str = SOURCE) -> bytes:
    """A file of the format, written by pandoc from Markdown."""
    command = [_program(), "--from=markdown", f"--to={format_}", "--standalone", "--output=-"]
    return subprocess.run(command, input=source.encode(), capture_output=True, check=True).stdout


@pytest.mark.parametrize("format_", ["docx", "odt", "epub", "html"])
def test_each_format_gives_its_text_under_its_headings(tmp_path: Path, format_: str) -> None:
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / f"ship.{format_}").write_bytes(made(format_))
    reading = read_folder(tmp_path)
    assert reading.bad == []
    sections = [part for part in reading.sections if part.heading]  # odt repeats its title before
    assert [(part.heading, part.note.chapter) for part in sections] == [
        (("Chapter One",), 1),
        (("Chapter One", "Scene"), 1),
    ]
    first, scene = (part.text for part in sections)
    for piece in ("She said “no” 5 * 3 times, at [[the]] quay.", "Quoted.", "- one\n\n- two"):
        assert piece in first
    assert first.count("A note.") == 1
    assert scene.strip() == "a | b\n1 | 2"


def test_scripts_comments_and_pictures_of_a_page_are_left_out() -> None:
    page = (
        "<html><head><title>Quay</title><style>p {}</style><script>alert(1)</script></head><body>"
        '<!-- private --><h2>The <em>quay</em></h2><p>Wet.<br>Cold. <img src="x.png" alt="map"></p>'
        '<iframe src="/etc/passwd"></iframe><dl><dt>Depth</dt><dd>9 m</dd></dl></body></html>'
    )
    document = convert(page.encode(), "html")
    assert (document.title, document.text) == (
        "Quay",
        "## The quay\n\nWet.\nCold. \n\nDepth: 9 m\n\n",
    )


def test_a_page_is_read_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    page = '<meta charset="iso-8859-1"><p>“Café”</p>'
    (tmp_path / "a.html").write_bytes(page.encode("cp1252"))
    (tmp_path / "b.htm").write_bytes(page.replace("iso-8859-1", "utf-8").encode())
    (tmp_path / "c.html").write_bytes(page.replace("iso-8859-1", "x-none").encode("cp1252"))
    reading = read_folder(tmp_path)
    assert [part.text.strip() for part in reading.sections] == ["“Café”", "“Café”"]
    assert [path for path, _ in reading.bad] == ["c.html"]


DOCUMENT = (
    '<?xml version="1.0"?>{}<w:document xmlns:w="http://schemas.openxmlformats.org/'
    'wordprocessingml/2006/main"><w:body>{}</w:body></w:document>'
)
RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    'relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/'
    '2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)


def docx(body: str, doctype: str = "", **files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr("word/document.xml", DOCUMENT.format(doctype, body))
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:r>{properties}<w:t>{text}</w:t></w:r></w:p>"


def test_deleted_text_of_word_is_left_out() -> None:
    body = paragraph("Kept.") + "<w:p><w:del><w:r><w:delText>Gone.</w:delText></w:r></w:del></w:p>"
    assert convert(docx(body), "docx").text == "Kept.\n\n"


def test_chapters_without_styles_are_lines_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "chapters").mkdir()
    lines = ("Chapter One", "Dawn.", "Chapter Two", "Dusk.")
    (tmp_path / "chapters" / "novel.docx").write_bytes(docx("".join(map(paragraph, lines))))
    sections = read_folder(tmp_path).sections
    assert [(part.heading, part.note.chapter, part.text.strip()) for part in sections] == [
        (("Chapter One",), 1, "Dawn."),
        (("Chapter Two",), 2, "Dusk."),
    ]


def test_an_e_book_that_its_shop_has_locked_is_refused() -> None:
    with pytest.raises(ToolkitError, match="it is locked by its shop"):
        convert(docx("", **{"META-INF/rights.xml": b"<rights/>"}), "epub")


def test_hidden_text_of_word_is_left_out() -> None:
    hidden = paragraph("Hidden.", "<w:rPr><w:b/><w:vanish/></w:rPr>")
    shown = paragraph("Shown.", '<w:rPr><w:vanish w:val="0"/></w:rPr>')
    body = paragraph("One.") + hidden + shown + paragraph("Two.")
    assert convert(docx(body), "docx").text == "One.\n\nShown.\n\nTwo.\n\n"


def test_remarks_of_word_are_left_out() -> None:
    source = '[private]{.comment-start id="0" author="A"}Seen.[]{.comment-end id="0"}'
    assert convert(made("docx", source), "docx").text == "Seen.\n\n"


def test_remarks_of_odt_are_left_out() -> None:
    remark = b"<office:annotation><text:p>private</text:p></office:annotation>"
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(made("odt"))) as old,
        zipfile.ZipFile(out, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"Quoted.", b"Quo" + remark + b"ted."))
    text = convert(out.getvalue(), "odt").text
    assert "Quoted." in text
    assert "private" not in text


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    zeros = bytes(MAX_UNPACKED + 1)
    with pytest.raises(ToolkitError, match="it unpacks to 100 MB in 3 parts; 100 MB are allowed"):
        clean_archive(docx("", **{"word/bomb.xml": zeros}))


def lying(data: bytes, name: bytes, size: int) -> bytes:
    """The archive with another unpacked size declared for one member."""
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = 0
        while (start := data.find(signature, start)) >= 0:
            header = {22: 30, 24: 46}[place]
            if data[start + header :].startswith(name):
                data = data[: start + place] + struct.pack("<I", size) + data[start + place + 4 :]
            start += 4
    return data


def test_a_bomb_is_refused_by_what_it_holds() -> None:
    archive = lying(docx("", **{"word/bomb.xml": bytes(50_000_000)}), b"word/bomb.xml", 100)
    with pytest.raises(ToolkitError, match="Bad CRC-32 for file 'word/bomb"):
        clean_archive(archive)


def test_what_pandoc_gets_is_what_is_declared_and_no_pictures() -> None:
    archive = docx(paragraph("Text."), **{"word/media/a.png": b"x" * 100})
    with zipfile.ZipFile(io.BytesIO(clean_archive(archive))) as clean:
        assert clean.namelist() == ["_rels/.rels", "word/document.xml"]


def test_entities_do_not_grow() -> None:
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    doctype = f'<!DOCTYPE w [<!ENTITY e0 "ha"><!ENTITY f SYSTEM "file:///etc/passwd">{levels}]>'
    for entity in ("&e9;", "&f;"):
        with pytest.raises(ToolkitError, match="pandoc cannot read it"):
            convert(docx(paragraph(entity), doctype), "docx")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (docx(paragraph("x"))[:-40], "it is damaged (File is not a zip file)"),
        (b"PK\x03\x04" + bytes(100), "it is damaged (File is not a zip file)"),
        (
            b"\xd0\xcf\x11\xe0" + bytes(500),
            "it is encrypted, or of a format older than its name says",
        ),
        (b"plain text", "it is damaged (File is not a zip file)"),
    ],
)
def test_damaged_archives(data: bytes, reason: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        convert(data, "docx")
    assert caught.value.problem == reason


def test_an_archive_of_another_kind_is_no_docx() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.xml", "<a/>")
    with pytest.raises(ToolkitError, match="pandoc cannot read it"):
        convert(out.getvalue(), "docx")
