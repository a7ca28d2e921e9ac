"""The text that a converter makes of a document, with its headings."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .markdown import Heading, build_sections, find_chapter_lines
from .model import Section, make_note
from .source import normalise


@dataclass(frozen=True)
class Document:
    """Text as readers see it; heading lines stand in it as `## Title` and are listed."""

    text: str
    headings: tuple[Heading, ...] = ()
    title: str = ""

    def sections(self, path: str) -> list[Section]:
        """The document as sections of the note at `path`; offsets count characters of `text`."""
        headings = self.headings or tuple(find_chapter_lines(self.text))
        first = self.title or (headings[0].title if headings else "")
        return build_sections(make_note({}, path, first), self.text, headings)


class TextBuilder:
    """Collects text; a paragraph ends at an empty line, and is a heading where `level` is set."""

    def __init__(self) -> None:
        self.level = 0
        self._pieces: list[str] = []
        self._done: list[tuple[int, str]] = []

    def write(self, text: str) -> None:
        """Add text to the paragraph, or end it by an empty line."""
        if text == "\n\n":
            self.end_paragraph()
        else:
            self._pieces.append(text)

    def end_paragraph(self) -> None:
        """The next text begins a new paragraph."""
        text = "".join(self._pieces)
        self._pieces = []
        if text.strip():
            self._done.append((self.level, text))

    def document(self, title: str = "") -> Document:
        """What was collected."""
        self.end_paragraph()
        text, headings = "", []
        pieces: list[str] = []
        at = 0
        for level, raw in self._done:
            text = normalise(_whole(raw)).strip("\n")
            if level:
                name = " ".join(text.split())
                text = f"{'#' * level} {name}"
                headings.append(Heading(level, name, at, at + len(text) + 1))
            pieces.append(text + "\n\n")
            at += len(text) + 2
        return Document("".join(pieces), tuple(headings), title)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _whole(text: str) -> str:
    """The text with the halves of characters above U+FFFF put together; single halves replaced."""
    if _SURROGATE.search(text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
