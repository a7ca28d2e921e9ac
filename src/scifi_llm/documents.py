"""Readers of the author's files: Markdown and text with YAML front matter, as sections.

A section is the text below one heading. Offsets count characters of the file's decoded text.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import ToolkitError
from .settings import parse_yaml

SUFFIXES = (".md", ".markdown", ".txt")
MAX_BYTES = 50_000_000  # a long novel is about 2 MB; more than this is not prose
_HEADING = re.compile(r"^(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"^[ \t]{0,3}(```|~~~)")
# "chapter-03-dawn", "Ch 12", or a number at the start: "07_title".
_CHAPTER_IN_NAME = re.compile(r"(?:\bch(?:apter)?[ _.-]*|^)0*(\d{1,3})(?!\d)", re.I)


@dataclass(frozen=True)
class Note:
    """Front matter of one file, by the contract; `path` is relative to the notes' folder."""

    path: str
    title: str
    type: str = ""
    aliases: tuple[str, ...] = ()
    always: bool = False
    from_chapter: int | None = None
    until_chapter: int | None = None
    known_by: tuple[str, ...] | None = None
    related: tuple[str, ...] = ()
    chapter: int | None = None


@dataclass(frozen=True)
class Section:
    """Text under one heading of a note: `text` is what stands at [start, end) of the file."""

    note: Note
    heading: tuple[str, ...]
    text: str
    start: int
    end: int

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_record` is its inverse."""
        return asdict(self)

    @staticmethod
    def from_record(record: dict[str, Any]) -> Section:
        """The section of a dict made by `as_record` and read back from JSON."""
        raw = dict(record["note"])
        for key in ("aliases", "related"):
            raw[key] = tuple(raw[key])
        raw["known_by"] = None if raw["known_by"] is None else tuple(raw["known_by"])
        return Section(
            Note(**raw), tuple(record["heading"]), record["text"], record["start"], record["end"]
        )


@dataclass
class Reading:
    """What a folder gave: sections, how many files, and the files that could not be read."""

    sections: list[Section] = field(default_factory=list)
    files: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    unnumbered_chapters: list[str] = field(default_factory=list)


def note_files(folder: Path) -> Iterator[Path]:
    """Files below `folder` that a reader exists for, sorted; hidden ones are left out.

    Links to folders are not followed; links to files are judged by `read_note`.
    """
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(root, name)


def read_folder(folder: Path) -> Reading:
    """Read every note below `folder`. A file that cannot be read is listed, the rest goes on."""
    reading = Reading()
    for file in note_files(folder):
        path = file.relative_to(folder).as_posix()
        reading.files += 1
        try:
            sections = read_note(file, folder)
        except ToolkitError as error:
            reading.bad.append((path, error.problem))
            continue
        reading.sections += sections
        note = sections[0].note if sections else None
        if note and note.type == "chapter" and note.chapter is None:
            reading.unnumbered_chapters.append(path)
    return reading


def read_note(file: Path, folder: Path) -> list[Section]:
    """Sections of one file.

    Raises ToolkitError where it is too large, no UTF-8 text, a link out of the folder, or where its
    front matter is broken.
    """
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ToolkitError("it is a link to a file outside the notes' folder")
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise ToolkitError(
                f"it is larger than {MAX_BYTES // 1_000_000} MB ({size // 10**6} MB)"
            )
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ToolkitError(f"it is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise ToolkitError(f"it cannot be read ({error.strerror})") from None
    if "\0" in text:
        raise ToolkitError("it holds NUL bytes, so it is no text file")
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return parse_note(text, file.relative_to(folder).as_posix())


def parse_note(text: str, path: str) -> list[Section]:
    """Sections of a note's text. Pure.

    Raises ToolkitError where the front matter is broken.
    """
    meta, body_start = split_front_matter(text)
    heading_sections = list(split_headings(text, body_start))
    top = next((path_[0] for path_, *_ in heading_sections if path_), "")
    note = make_note(meta, path, top)
    return [
        Section(note, heading, text[start:end], start, end)
        for heading, start, end in heading_sections
        if text[start:end].strip()
    ]


def split_front_matter(text: str) -> tuple[dict[str, Any], int]:
    """The YAML block at the start as a dict, and the offset at which the body begins.

    Raises ToolkitError where the block does not end, is no YAML or no mapping.
    """
    if not re.match(r"---[ \t]*\n", text):
        return {}, 0
    end = re.compile(r"^(?:---|\.\.\.)[ \t]*$\n?", re.M).search(text, text.index("\n") + 1)
    if end is None:
        # A lone rule at the top of a text is no front matter.
        if re.match(r"---[ \t]*\n\s*\w+[ \t]*:", text):
            raise ToolkitError("its front matter has no closing ---")
        return {}, 0
    block = text[text.index("\n") + 1 : end.start()]
    try:
        meta = parse_yaml(block, first_line=2)
    except ToolkitError as error:
        raise ToolkitError(f"its front matter is {error.problem}") from None
    if meta is None:
        return {}, end.end()
    if not isinstance(meta, dict):
        raise ToolkitError("its front matter is not a list of `key: value` lines")
    return meta, end.end()


def split_headings(text: str, start: int) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """(heading path, start, end) of each part of text[start:]; the heading line is not in it."""
    stack: list[tuple[int, str]] = []
    begin, position, fenced = start, start, False
    for line in text[start:].splitlines(keepends=True):
        fenced ^= bool(_FENCE.match(line))
        match = None if fenced else _HEADING.match(line.rstrip("\n"))
        if match:
            yield tuple(name for _, name in stack), begin, position
            level = len(match[1])
            stack = [entry for entry in stack if entry[0] < level] + [(level, match[2])]
            begin = position + len(line)
        position += len(line)
    yield tuple(name for _, name in stack), begin, position


def make_note(meta: dict[str, Any], path: str, first_heading: str) -> Note:
    """Check front matter against the contract.

    Raises ToolkitError where a value has the wrong form: a note whose rules are unclear must not
    reach the model, because they may be there to hide something.
    """
    name = Path(path).stem
    kind = str(meta.get("type") or _type_of_folder(path))
    chapter = _chapter(meta, "chapter")
    if chapter is None and kind == "chapter":
        found = _CHAPTER_IN_NAME.search(name)
        chapter = int(found[1]) if found else None
    known_by = _names(meta, "known_by")
    always = meta.get("always", False)
    if not isinstance(always, bool):
        raise ToolkitError(f"its key 'always' has value {always!r}; use true or false")
    return Note(
        path=path,
        title=str(meta.get("title") or first_heading or name.replace("-", " ").replace("_", " ")),
        type=kind,
        aliases=_names(meta, "aliases") or (),
        always=always,
        from_chapter=_chapter(meta, "from_chapter"),
        until_chapter=_chapter(meta, "until_chapter"),
        known_by=known_by,
        related=_names(meta, "related") or (),
        chapter=chapter,
    )


def _type_of_folder(path: str) -> str:
    return "chapter" if Path(path).parts[0] == "chapters" and len(Path(path).parts) > 1 else ""


def _names(meta: dict[str, Any], key: str) -> tuple[str, ...] | None:
    value = meta.get(key)
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str | int | float) for item in items):
        raise ToolkitError(f"its key '{key}' is not a list of names")
    return tuple(str(item) for item in items)


def _chapter(meta: dict[str, Any], key: str) -> int | None:
    value = meta.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ToolkitError(f"its key '{key}' has value {value!r}; use a chapter number")
    return value
