"""The notes' folder: what is read, what is left out with which reason, and that nothing hangs."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scifi_llm.documents import MAX_BYTES, file_of, note_files, read_folder

NOBODY = 65534


def bad(folder: Path) -> dict[str, str]:
    return dict(read_folder(folder).bad)


def texts(folder: Path) -> dict[str, str]:
    return {part.note.path: part.text for part in read_folder(folder).sections}


def test_names_of_all_kinds_are_read_in_order(tmp_path: Path) -> None:
    names = [
        "Ölafur O'Brien ✨.md",
        "a b/c d/Note.TXT",
        "tab\tname.md",
        'quote".md',
        "日本.markdown",
    ]
    for name in names:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name, "utf-8")
    (tmp_path / ".obsidian").mkdir()
    (tmp_path / ".obsidian" / "app.json").write_text("{}")
    (tmp_path / ".draft.md").write_text("hidden")
    (tmp_path / "~$novel.docx").write_bytes(b"Word's lock")
    (tmp_path / "map.png").write_bytes(b"\x89PNG")
    assert texts(tmp_path) == {name: name for name in names}
    assert [file.name for file in note_files(tmp_path)] == [
        'quote".md', "tab\tname.md", "Ölafur O'Brien ✨.md", "日本.markdown", "Note.TXT",
    ]  # fmt: skip


def test_a_folder_named_like_a_file_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "characters.md").mkdir()
    (tmp_path / "characters.md" / "elena.md").write_text("Text.")
    assert texts(tmp_path) == {"characters.md/elena.md": "Text."}


def test_links_that_lead_out_around_and_nowhere(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    (notes / "sub").mkdir(parents=True)
    (tmp_path / "secret.md").write_text("secret")
    (notes / "real.md").write_text("real")
    (notes / "out.md").symlink_to(tmp_path / "secret.md")
    (notes / "in.md").symlink_to(notes / "real.md")
    (notes / "self.md").symlink_to(notes / "self.md")
    (notes / "gone.md").symlink_to(notes / "nothing.md")
    (notes / "sub" / "loop").symlink_to(notes)
    (notes / "device.txt").symlink_to("/dev/zero")
    assert bad(notes) == {
        "device.txt": "it is a link to a file outside the notes' folder",
        "gone.md": "it cannot be read (No such file or directory)",
        "out.md": "it is a link to a file outside the notes' folder",
        "self.md": "it is a link that leads to itself",
        "sub/loop": "it is a link to a folder, and those are not followed",
    }
    assert texts(notes) == {"in.md": "real", "real.md": "real"}


def test_special_files_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    with socket.socket(socket.AF_UNIX) as server:
        with contextlib.chdir(tmp_path):  # the path of a socket may have 107 bytes
            server.bind("socket.txt")
        assert bad(tmp_path) == {
            "pipe.md": "it is no regular file",
            "socket.txt": "it cannot be read (No such device or address)",
        }


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may enter, as the test's own may not be."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_what_may_not_be_read(open_folder: Path) -> None:
    (open_folder / "closed.md").write_text("x")
    (open_folder / "closed.md").chmod(0)
    (open_folder / "locked").mkdir(mode=0)
    (open_folder / "open.md").write_text("x")
    root = os.geteuid() == 0  # who may read everything
    if root:
        os.seteuid(NOBODY)
    try:
        reading = read_folder(open_folder)
    finally:
        if root:
            os.seteuid(0)
        (open_folder / "locked").chmod(0o700)
    assert dict(reading.bad) == {
        "closed.md": "it cannot be read (Permission denied)",
        "locked": "the folder cannot be read (Permission denied)",
    }
    assert (reading.files, len(reading.sections)) == (3, 1)


def test_a_file_that_vanishes_after_it_was_listed(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("x")

    def watch(files: list[Path]) -> Iterator[Path]:
        for file in files:
            (tmp_path / "b.md").unlink(missing_ok=True)
            yield file

    reading = read_folder(tmp_path, watch)
    assert reading.bad == [("b.md", "it cannot be read (No such file or directory)")]
    assert [part.note.path for part in reading.sections] == ["a.md"]


@pytest.mark.parametrize("name", ["a.md", "a.docx", "a.pdf", "a.json", "a.rtf", "a.html"])
def test_a_file_of_100_mb_is_left_out_unread(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as out:
        os.truncate(out.fileno(), 100_000_000)
    assert bad(tmp_path) == {name: f"it is larger than {MAX_BYTES // 10**6} MB (100 MB)"}


def test_encodings(tmp_path: Path) -> None:
    text = "“Café” – naïve.\n"
    good = {"utf8.md": "utf-8", "bom.md": "utf-8-sig", "u16.md": "utf-16", "u32.txt": "utf-32"}
    for name, encoding in good.items():
        (tmp_path / name).write_bytes(text.encode(encoding))
    (tmp_path / "be.md").write_bytes(b"\xfe\xff" + text.encode("utf-16-be"))
    (tmp_path / "mac.md").write_bytes("Cafe\u0301\r\nnext\rlast".encode())
    (tmp_path / "windows.md").write_bytes(text.encode("cp1252"))
    (tmp_path / "broken.md").write_bytes(b"abc \xff\x81 def")
    (tmp_path / "half.md").write_bytes(b"\xff\xfea")
    (tmp_path / "nobom.md").write_bytes("Text".encode("utf-16-le"))
    (tmp_path / "nul.md").write_bytes(b"a\0b")
    assert texts(tmp_path) == {
        **dict.fromkeys([*good, "be.md"], text),
        "mac.md": "Café\nnext\nlast",
    }
    convert = "; from Windows-1252 convert it with: iconv -f CP1252 -t UTF-8 OLD > NEW"
    assert bad(tmp_path) == {
        "windows.md": "it is not UTF-8 text (byte 0)" + convert,
        "broken.md": "it is not UTF-8 text (byte 4)",
        "half.md": "it is not UTF-16 text (byte 2)" + convert,
        "nobom.md": "it holds NUL bytes, so it is no text file",
        "nul.md": "it holds NUL bytes, so it is no text file",
    }


def test_empty_files_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.md").touch()
    (tmp_path / "b.md").write_text(" \n\n")
    (tmp_path / "c.md").write_text("---\ntype: place\n---\n# Only a title\n")
    reading = read_folder(tmp_path)
    assert (reading.files, reading.bad, reading.sections) == (3, [], [])
    assert reading.empty == ["a.md", "b.md", "c.md"]


def test_every_other_format_says_that_an_empty_file_is_none(tmp_path: Path) -> None:
    for suffix in ("docx", "odt", "epub", "pdf", "rtf", "json", "lorebook"):
        (tmp_path / f"a.{suffix}").touch()
    assert bad(tmp_path) == {
        "a.docx": "it is damaged (File is not a zip file)",
        "a.epub": "it is damaged (File is not a zip file)",
        "a.json": "it is not valid JSON (line 1)",
        "a.lorebook": "it is not valid JSON (line 1)",
        "a.odt": "it is damaged (File is not a zip file)",
        "a.pdf": "it is damaged (Cannot read an empty file)",
        "a.rtf": "it is no RTF, in spite of its name",
    }


@pytest.mark.parametrize(
    ("note", "file"),
    [
        ("a/elena.md", "a/elena.md"),
        ("C#1.md", "C#1.md"),
        ("a/world.json#Elena #2", "a/world.json"),
        ("x.lorebook#y/z", "x.lorebook"),
        ("a/Book.scriv/Draft/One.scriv", "a/Book.scriv"),
    ],
)
def test_the_file_that_a_note_is_from(note: str, file: str) -> None:
    assert file_of(note) == file
