"""Sections to chunks that fit an embedding model. Pure: the caller brings the tokenizer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..documents import Note, Section
from .packing import count, pack

FORMAT = 3  # of the cuts: chunks of another number are cut anew
LONGEST_CONTEXT = 120  # characters before a passage; at most as many tokens in any script
SLAB = 1_000_000  # characters that are tokenized at once


class Tokenizer(Protocol):
    """What chunking asks of a tokenizer; `limit` counts the `special` tokens too."""

    limit: int
    special: int

    def starts(self, texts: Sequence[str]) -> list[list[int]]:
        """For each text, where each of its tokens starts, in characters, ascending."""


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
        return f"{_lead(self.context)}\n{self.text}"


def chunk_sections(
    sections: Iterable[Section], tokenizer: Tokenizer, target_tokens: int | None = None
) -> list[Chunk]:
    """Cut sections into chunks whose `embedded` text has at most `tokenizer.limit` tokens.

    `target_tokens` is the size to aim at, context included; None aims at the limit. Pieces of a
    section, concatenated, are its text without the white space at the cuts. Ids depend on path and
    text alone, so an edit changes only the chunks it touches.
    """
    chunks: list[Chunk] = []
    seen: dict[str, int] = {}
    for slab in _slabs(sections):
        for section, start, end in _spans(slab, tokenizer, target_tokens or tokenizer.limit):
            text = section.text[start:end]
            key = f"{section.note.path}\0{text}"
            number = seen[key] = seen.get(key, 0) + 1
            digest = hashlib.sha256(f"{key}\0{number}".encode("utf-8", "surrogatepass"))
            first, last = section.span(start, end)
            chunks.append(
                Chunk(
                    digest.hexdigest()[:24],
                    section.note,
                    section.heading,
                    text,
                    first,
                    last,
                )
            )
    return chunks


def _slabs(sections: Iterable[Section]) -> Iterator[list[Section]]:
    slab: list[Section] = []
    size = 0
    for section in sections:
        slab.append(section)
        size += len(section.text)
        if size >= SLAB:
            yield slab
            slab, size = [], 0
    yield slab


def _spans(
    sections: list[Section], tokenizer: Tokenizer, target: int
) -> Iterator[tuple[Section, int, int]]:
    texts = tokenizer.starts([section.text for section in sections])
    contexts = tokenizer.starts([_before(section) for section in sections])
    for section, starts, context in zip(sections, texts, contexts, strict=True):
        used = len(context) + tokenizer.special
        room = max(tokenizer.limit - used, 1)
        aim = min(max(target - used, 1), room)
        spans = pack(section.text, starts, room, aim)
        yield from _checked(section, spans, starts, room, tokenizer)


def _checked(
    section: Section,
    spans: list[tuple[int, int]],
    starts: Sequence[int],
    room: int,
    tokenizer: Tokenizer,
) -> Iterator[tuple[Section, int, int]]:
    """The spans; one that is longer alone than within its text is cut again.

    Tokenizers that look across white space may count a passage differently by itself, but only at
    its ends: one of less than half the room is not counted anew.
    """
    long = [(a, b) for a, b in spans if 2 * count(starts, a, b) > room]
    alone = dict(
        zip(
            long,
            tokenizer.starts([_before(section) + section.text[a:b] for a, b in long]),
            strict=True,
        )
    )
    for a, b in spans:
        excess = len(alone.get((a, b), ())) + tokenizer.special - tokenizer.limit
        if excess <= 0 or room <= 1:
            yield section, a, b
            continue
        less = max(room - excess, 1)
        inner = tokenizer.starts([section.text[a:b]])[0]
        cut = [(a + c, a + d) for c, d in pack(section.text[a:b], inner, less, less)]
        yield from _checked(section, cut, [a + start for start in inner], less, tokenizer)


def _before(section: Section) -> str:
    return Chunk("", section.note, section.heading, "", 0, 0).embedded


def _lead(context: str) -> str:
    """The context, a long one cut in its middle: the title and the last heading say most."""
    if len(context) <= LONGEST_CONTEXT:
        return context
    half = (LONGEST_CONTEXT - 1) // 2
    return f"{context[:half]}…{context[-half:]}"
