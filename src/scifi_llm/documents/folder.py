"""The notes' folder: which files are read, and by which reader."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from ..errors import ToolkitError
from .lorebook import parse_lorebook
from .markdown import parse_note, parse_text
from .model import Reading, Section
from .pandoc import convert
from .pdf import parse_pdf
from .rtf import parse_rtf
from .scrivener import has_files, read_binder, read_text
from .source import decode, read_bytes, utf8_of_html

Reader = Callable[[bytes, str], list[Section]]


def _by_pandoc(format_: str) -> Reader:
    return lambda data, path: convert(data, format_).sections(path)


READERS: dict[str, Reader] = {
    ".md": lambda data, path: parse_note(decode(data), path),
    ".markdown": lambda data, path: parse_note(decode(data), path),
    ".txt": lambda data, path: parse_text(decode(data), path),
    ".docx": _by_pandoc("docx"),
    ".odt": _by_pandoc("odt"),
    ".epub": _by_pandoc("epub"),
    ".html": lambda data, path: convert(utf8_of_html(data), "html").sections(path),
    ".htm": lambda data, path: convert(utf8_of_html(data), "html").sections(path),
    ".rtf": lambda data, path: parse_rtf(data).sections(path),
    ".pdf": lambda data, path: parse_pdf(data).sections(path),
    ".json": parse_lorebook,
    ".lorebook": parse_lorebook,
}
PROJECT = ".scriv"
_HIDDEN = (".", "~$")  # "~$novel.docx" is Word's lock on novel.docx while it is open
SUFFIXES = (*READERS, PROJECT)
TEXT_SUFFIXES = (".md", ".markdown", ".txt")  # those that can have front matter
# What holds several notes: "Book.scriv/Draft/Dawn", "world.json#Elena".
_PART = re.compile(r"(.+?\.scriv)/|(.+?\.(?:json|lorebook))#", re.I)


def file_of(note_path: str) -> str:
    """The file or project that a note was read from; both paths are relative to the folder."""
    found = _PART.match(note_path)
    return (found[1] or found[2]) if found else note_path


def note_files(
    folder: Path, skipped: Callable[[str, str], object] = lambda path, reason: None
) -> Iterator[Path]:
    """Files and Scrivener projects below `folder` that a reader exists for, sorted.

    Hidden ones are left out. Links to files are judged when they are read; links to folders are
    not followed. Those, and folders that cannot be listed, are told to `skipped` (path, reason).
    """

    def unreadable(error: OSError) -> None:
        path = os.path.relpath(str(error.filename), folder)
        skipped(path, f"the folder cannot be read ({error.strerror})")

    for root, folders, names in os.walk(folder, onerror=unreadable):
        inner = sorted(name for name in folders if not name.startswith("."))
        for name in inner:
            path = Path(root, name)
            if path.is_symlink():
                skipped(
                    path.relative_to(folder).as_posix(),
                    "it is a link to a folder, and those are not followed",
                )
            elif name.lower().endswith(PROJECT):
                yield path
        folders[:] = [name for name in inner if not name.lower().endswith(PROJECT)]
        for name in sorted(names):
            if not name.startswith(_HIDDEN) and Path(name).suffix.lower() in READERS:
                yield Path(root, name)


def read_folder(
    folder: Path, watch: Callable[[list[Path]], Iterable[Path]] = lambda files: files
) -> Reading:
    """Read every note below `folder`. A file that cannot be read is listed, the rest goes on.

    `watch` gets the list of files and passes each on: the place for a progress bar.
    """
    reading = Reading()

    def skipped(path: str, reason: str) -> None:
        reading.files += 1
        reading.bad.append((path, reason))

    for file in watch(list(note_files(folder, skipped))):
        path = file.relative_to(folder).as_posix()
        if path.lower().endswith(PROJECT):
            _read_project(reading, file, folder)
        else:
            _read(reading, path, partial(read_note, file, folder))
    return reading


def _read_project(reading: Reading, project: Path, folder: Path) -> None:
    path = project.relative_to(folder).as_posix()
    try:
        texts = read_binder(project, folder)
    except ToolkitError as error:
        reading.files += 1
        reading.bad.append((path, error.problem))
        return
    for text in texts:
        if has_files(text, project):
            _read(reading, text.path, partial(read_text, text, project, folder))


def _read(reading: Reading, path: str, read: Callable[[], list[Section]]) -> None:
    """Read one file or text, and note what became of it."""
    reading.files += 1
    try:
        sections = read()
    except ToolkitError as error:
        reading.bad.append((path, error.problem))
        return
    reading.sections += sections
    if not sections:
        reading.empty.append(path)
    hidden = [part.note.type == "chapter" and part.note.chapter is None for part in sections]
    if any(hidden):
        (reading.unnumbered_chapters if all(hidden) else reading.partly_numbered).append(path)


def read_note(file: Path, folder: Path) -> list[Section]:
    """Sections of one file; a Scrivener project is no file.

    Raises ToolkitError where it cannot be read as its suffix says, leads out of the folder, or
    where its front matter is broken.
    """
    data = read_bytes(file, folder)
    return READERS[file.suffix.lower()](data, file.relative_to(folder).as_posix())
