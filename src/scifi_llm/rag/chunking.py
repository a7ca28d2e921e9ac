"""Sections to chunks that fit an embedding model. Pure: the caller brings the token counter."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ..documents import Note, Section

TokenCounter = Callable[[str], int]
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")


@dataclass(frozen=True)
class Chunk:
    """A passage: `text` is the author's own, `embedded` has title and heading path before it."""

    id: str
    note: Note
    heading: tuple[str, ...]
    text: str
    start: int
    end: int

    @property
    def context(self) -> str:
        """Title and heading path, as one line."""
        path = [part for part in self.heading if part != self.note.title]
        return " > ".join([self.note.title, *path])

    @property
    def embedded(self) -> str:
        """What the embedding model reads."""
        return f"{self.context}\n{self.text}"


def chunk_sections(
    sections: Iterable[Section], count: TokenCounter, max_tokens: int
) -> list[Chunk]:
    """Cut sections into chunks whose `embedded` text has at most `max_tokens` by `count`.

    Pieces end at paragraphs, else at sentences, else at words, else anywhere; concatenated they are
    the section's text without the white space at its cuts. Ids depend on path and text alone, so an
    edit changes only the chunks it touches.
    """
    chunks: list[Chunk] = []
    seen: dict[str, int] = {}
    for section in sections:
        context = Chunk("", section.note, section.heading, "", 0, 0).embedded
        # A heading that fills the model by itself is cut by the model; the text still gets room.
        room = max(max_tokens - count(context), max_tokens // 2)
        for start, end in pack(section.text, count, room):
            text = section.text[start:end]
            key = f"{section.note.path}\0{text}"
            number = seen[key] = seen.get(key, 0) + 1
            digest = hashlib.sha256(f"{key}\0{number}".encode()).hexdigest()[:24]
            offset = section.start
            chunks.append(
                Chunk(digest, section.note, section.heading, text, offset + start, offset + end)
            )
    return chunks


def pack(text: str, count: TokenCounter, room: int) -> Iterator[tuple[int, int]]:
    """Spans of `text`, without white space at their ends, of at most `room` tokens each."""
    spans = _fitting(text, 0, len(text), count, room)
    current: tuple[int, int] | None = None
    for start, end in spans:
        if current and count(text[current[0] : end]) <= room:
            current = (current[0], end)
            continue
        if current:
            yield current
        current = (start, end)
    if current:
        yield current


def _fitting(
    text: str, start: int, end: int, count: TokenCounter, room: int
) -> Iterator[tuple[int, int]]:
    """Paragraphs of text[start:end], the long ones cut into sentences, words, then halves."""
    for a, b in _split(text, start, end, _PARAGRAPH_END):
        if count(text[a:b]) <= room:
            yield a, b
            continue
        for c, d in _split(text, a, b, _SENTENCE_END):
            yield from _halves(text, c, d, count, room)


def _halves(
    text: str, start: int, end: int, count: TokenCounter, room: int
) -> Iterator[tuple[int, int]]:
    if end - start <= 1 or count(text[start:end]) <= room:
        yield start, end
        return
    middle = (start + end) // 2
    space = text.rfind(" ", start + 1, middle)
    cut = space if space > start else middle
    for a, b in (_trim(text, start, cut), _trim(text, cut, end)):
        if a < b:
            yield from _halves(text, a, b, count, room)


def _split(
    text: str, start: int, end: int, separator: re.Pattern[str]
) -> Iterator[tuple[int, int]]:
    position = start
    for match in separator.finditer(text, start, end):
        a, b = _trim(text, position, match.end())
        if a < b:
            yield a, b
        position = match.end()
    a, b = _trim(text, position, end)
    if a < b:
        yield a, b


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
