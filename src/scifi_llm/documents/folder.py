"""The notes' folder: which files are read, and by which reader."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..errors import ToolkitError
from .markdown import parse_note
from .model import Reading, Section
from .source import decode, read_bytes

Reader = Callable[[bytes, str], list[Section]]


def _markdown(data: bytes, path: str) -> list[Section]:
    return parse_note(decode(data), path)


READERS: dict[str, Reader] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".txt": _markdown,
}
PROJECT = ".scriv"
SUFFIXES = (*READERS, PROJECT)


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
            if not name.startswith(".") and Path(name).suffix.lower() in READERS:
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
        reading.files += 1
        try:
            sections = read_note(file, folder)
        except ToolkitError as error:
            reading.bad.append((path, error.problem))
            continue
        _add(reading, path, sections)
    return reading


def _add(reading: Reading, path: str, sections: list[Section]) -> None:
    reading.sections += sections
    if not sections:
        reading.empty.append(path)
    if any(part.note.type == "chapter" and part.note.chapter is None for part in sections):
        reading.unnumbered_chapters.append(path)


def read_note(file: Path, folder: Path) -> list[Section]:
    """Sections of one file.

    Raises ToolkitError where it cannot be read as its suffix says, leads out of the folder, or
    where its front matter is broken.
    """
    data = read_bytes(file, folder)
    return READERS[file.suffix.lower()](data, file.relative_to(folder).as_posix())
