"""Readers of the author's files: every format to notes and sections."""

from .folder import SUFFIXES, TEXT_SUFFIXES, file_of, note_files, read_folder, read_note
from .markdown import find_headings, parse_note, split_front_matter
from .model import Note, Reading, Section, make_note
from .source import MAX_BYTES

__all__ = [
    "MAX_BYTES",
    "SUFFIXES",
    "TEXT_SUFFIXES",
    "Note",
    "Reading",
    "Section",
    "file_of",
    "find_headings",
    "make_note",
    "note_files",
    "parse_note",
    "read_folder",
    "read_note",
    "split_front_matter",
]
