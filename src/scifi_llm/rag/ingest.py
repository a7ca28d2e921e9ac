"""Step 1: the author's notes to sections in chunks/sections.jsonl."""

from __future__ import annotations

import json
import os
from argparse import RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..console import Parser, log_next, log_ok, log_test, log_warn, progress
from ..documents import TEXT_SUFFIXES, Reading, Section, file_of, note_files, read_folder
from ..errors import ToolkitError
from ..paths import EXAMPLE_WORLD, chunks_dir, data_dir

SECTIONS_FILE = "sections.jsonl"
FORMAT = 2
FORMATS = """\
formats:
  .md .markdown .txt           Markdown and text: YAML front matter, Obsidian's links
  .docx .odt .epub .html .htm  by pandoc
  .rtf                         text and outline levels
  .pdf                         pages with a text layer
  .scriv                       Scrivener 2 and 3: draft, research, synopses; not the trash
  .json .lorebook              lorebooks of SillyTavern and NovelAI, character cards
"""
SOME_FILES_BAD = 2  # exit status: everything else was written


def sections_file(folder: Path) -> Path:
    """The file of sections in a chunks folder."""
    return folder / SECTIONS_FILE


def write_sections(file: Path, source: str, sections: Iterable[Section]) -> None:
    """Write a header line and a line a section, in one step: the file is the old or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with scratch.open("w", encoding="utf-8") as out:
            out.write(json.dumps({"format": FORMAT, "source": source}) + "\n")
            for section in sections:
                out.write(json.dumps(section.as_record(), ensure_ascii=False) + "\n")
            out.flush()
            os.fsync(out.fileno())
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def read_sections(folder: Path) -> tuple[str, list[Section]]:
    """(source, sections) as `write_sections` wrote them.

    Raises ToolkitError where the file is missing, of another format, or not ours.
    """
    file = sections_file(folder)
    if not file.exists():
        raise ToolkitError(f"{file} does not exist.", "Write it with: RAG/1_ingest.py")
    try:
        # Not splitlines(): that also splits at U+0085 and U+2028, which JSON leaves as they are.
        text = file.read_text("utf-8").removesuffix("\n")
        lines: Iterator[dict[str, Any]] = map(json.loads, text.split("\n"))
        header = next(lines, {})
        if header.get("format") != FORMAT:
            raise ValueError("format")
        return str(header["source"]), [Section.from_record(line) for line in lines]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ToolkitError(
            f"{file} is damaged or from another version.", "Write it again with: RAG/1_ingest.py"
        ) from None


def choose_source(data: Path | None) -> tuple[Path, str]:
    """(folder, "example" or "data"): the author's notes, or the example world while there are none.

    Raises ToolkitError where a folder named by the user is missing or empty.
    """
    folder = data or data_dir()
    if any(note_files(folder)):
        return folder, "data"
    if data is not None:
        what = "holds no notes (such as .md, .txt or .docx)" if data.is_dir() else "is not a folder"
        raise ToolkitError(f"{data} {what}.", "Name the folder of your notes: --data DIR")
    return EXAMPLE_WORLD, "example"


def report(reading: Reading) -> None:
    """Warn of each file that was left out and of chapters that `as_of` will hide."""
    for path, reason in reading.bad:
        log_warn(f"Left out {path}: {reason}. Mend the file and run this again.")
    projects = Counter(_project(path) for path in reading.unnumbered_chapters)
    for project, count in projects.items():
        if project:
            log_warn(
                f"{count} texts of {project} have no chapter number and are hidden by as_of. "
                'Name the folders of the draft "Chapter 1", "Chapter 2" and so on.'
            )
    for path in reading.unnumbered_chapters:
        if not _project(path):
            log_warn(f"{path} has no chapter number and is hidden by as_of. {_number_it(path)}")
    for path in reading.partly_numbered:
        log_warn(f"{path}: what stands outside of its numbered chapters is hidden by as_of.")


def _project(path: str) -> str:
    """The Scrivener project that a text is part of, or ""."""
    file = file_of(path)
    return file if file != path else ""


def _number_it(path: str) -> str:
    if path.lower().endswith(TEXT_SUFFIXES):
        return "Add `chapter: N` to it."
    return f"Put the number into its name, such as chapter-03{Path(path).suffix}."


def previous_source(folder: Path) -> str:
    """Where the sections came from that are there now: "example", "data" or ""."""
    try:
        return read_sections(folder)[0]
    except ToolkitError:
        return ""


def main() -> int:
    """Entry of RAG/1_ingest.py."""
    parser = Parser(
        prog="1_ingest.py",
        description="Read the author's notes and write their sections to chunks/.",
        epilog=f"{FORMATS}\nexample: ./1_ingest.py --data ~/novel/notes",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of notes (RAG/data)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write (RAG/chunks)")
    options = parser.parse_args()
    out = options.out or chunks_dir()
    folder, source = choose_source(options.data)
    if source == "example":
        log_warn(f"{data_dir()} holds no notes yet; taking the example world of examples/.")
    elif previous_source(out) == "example":
        log_warn("The example world leaves: from now on only your own notes are read.")
    log_test(f"Reading {folder}")
    reading = read_folder(folder, lambda files: progress(files, len(files), "Reading", "files"))
    report(reading)
    if not reading.sections:
        raise ToolkitError(f"No note in {folder} could be read.", "Mend the files named above.")
    write_sections(sections_file(out), source, reading.sections)
    good = reading.files - len(reading.bad)
    words = sum(len(section.text.split()) for section in reading.sections)
    log_ok(
        f"{good} files, {len(reading.sections)} sections, {words:,} words in {sections_file(out)}"
        + (f"; {len(reading.empty)} files hold no text" if reading.empty else "")
        + (f"; {len(reading.bad)} files left out (status {SOME_FILES_BAD})" if reading.bad else "")
    )
    log_next("RAG/2_embed_and_store.py")
    return SOME_FILES_BAD if reading.bad else 0
