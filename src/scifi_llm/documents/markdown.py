"""Markdown and text to sections: front matter, headings, offsets. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ToolkitError
from ..settings import parse_yaml
from .chapters import chapters_of_headings, number_in_heading
from .cleaning import Visible, visible
from .model import Note, Section, make_note

_FENCE = re.compile(r"[ \t]{0,3}(?:(`{3,})(?=[^`]*$)|(~{3,}))")
_UNDERLINE = re.compile(r" {0,3}(?:(={2,})|-{2,})[ \t]*$")
# A line that an underline does not make a heading: list, quote, table, rule, heading.
_NO_TITLE = re.compile(r"[ \t]*(?:[-+*>|#=~`]|\d+[.)][ \t])|\t| {4}")
_LONE_LINE = re.compile(
    r"(?:\A|(?<=\n\n)|(?<=\n[ \t]\n))([ \t]*ch[a-z]*\.?[ \t][^\n]{1,100})(?:\Z|\n(?=[ \t]*\n|\Z))",
    re.I,
)
MAX_TITLE = 200  # characters: a longer line above a rule is a paragraph and a scene break


@dataclass(frozen=True)
class Heading:
    """A heading of `level` 1 to 6 whose own line or lines are [start, end) of the text."""

    level: int
    title: str
    start: int
    end: int


def parse_note(text: str, path: str) -> list[Section]:
    """Sections of a note's Markdown. Pure; offsets count characters of `text`.

    Raises ToolkitError where the front matter is broken or a comment does not end.
    """
    return _parse(text, path, find_headings)


def parse_text(text: str, path: str) -> list[Section]:
    """Like `parse_note`; without headings, a line by itself such as "CHAPTER II" is one."""
    return _parse(text, path, lambda seen: list(find_headings(seen)) or find_chapter_lines(seen))


def _parse(text: str, path: str, find: Callable[[str], Iterable[Heading]]) -> list[Section]:
    meta, body = split_front_matter(text)
    seen = visible(text, body)
    headings = list(find(seen.text))
    note = make_note(meta, path, headings[0].title if headings else "", seen.links)
    parts = build_sections(note, seen.text, headings, numbered="chapter" in meta)
    return [_placed(part, seen, body) for part in parts]


def _placed(part: Section, seen: Visible, body: int) -> Section:
    """The section with its offsets in the whole file."""
    return replace(
        part,
        start=body + part.start + seen.left_out(part.start),
        end=body + part.end + seen.left_out(part.end - 1),
        cuts=seen.cuts_between(part.start, part.end),
    )


def build_sections(
    note: Note, text: str, headings: Sequence[Heading], numbered: bool = False
) -> list[Section]:
    """A section for the text below each heading. A heading with nothing below it, not even
    another heading, is text itself, unless it is the note's title.

    In a chapter the headings may say which chapter each section is, unless the note's number was
    given by the author (`numbered`). Where several are stated they win over the file's name.
    """
    chapters: list[int | None] = [None] * len(headings)
    if note.type == "chapter" and not numbered:
        titles = [(heading.level, heading.title) for heading in headings]
        chapters = chapters_of_headings(titles, text.count(" "))
    stated = {number for number in chapters if number is not None}
    by_heading = len(stated) > 1 or (stated and note.chapter is None)
    found = []
    for path, start, end in _spans(headings, len(text)):
        if not text[start:end].strip():
            if not path or not _says_something(headings, path[-1], note.title):
                continue
            start, end = headings[path[-1]].start, headings[path[-1]].end
        own = note
        if by_heading:
            chapter = next((chapters[i] for i in path if chapters[i] is not None), None)
            own = replace(note, chapter=chapter)
        titles_ = tuple(headings[i].title for i in path)
        found.append(Section(own, titles_, text[start:end], start, end))
    return found


def _says_something(headings: Sequence[Heading], i: int, title: str) -> bool:
    """Is a heading without text below it more than the title of what follows?"""
    follows = i + 1 < len(headings) and headings[i + 1].level > headings[i].level
    return not follows and headings[i].title != title


def _spans(headings: Sequence[Heading], length: int) -> Iterator[tuple[tuple[int, ...], int, int]]:
    """(indexes of the headings above, start, end) of each part of a text, its headings left out."""
    stack: list[int] = []
    start = 0
    for i, heading in enumerate(headings):
        yield tuple(stack), start, heading.start
        stack = [j for j in stack if headings[j].level < heading.level] + [i]
        start = heading.end
    yield tuple(stack), start, length


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


def find_headings(text: str) -> Iterator[Heading]:
    """ATX (`## Title`) and setext (a line underlined with === or ---) headings outside of code.

    A setext heading is one line with an empty line before it: a rule directly below a paragraph
    of several lines is a scene break.
    """
    position, fence = 0, ""
    title, title_start, lines = "", 0, 0  # the paragraph that an underline would end
    for line in text.split("\n"):
        end = min(position + len(line) + 1, len(text))
        first = line.lstrip(" \t")[:1]
        if first and first in "`~" and (mark := _FENCE.match(line)):
            fence = _after_fence(fence, mark, line)
            lines = 9
        elif fence:
            pass
        elif first == "#" and (atx := _atx(line)):
            yield Heading(*atx, position, end)
            lines = 0
        elif first and first in "=-" and lines == 1 and (under := _UNDERLINE.match(line)):
            yield Heading(1 if under[1] else 2, title, title_start, end)
            lines = 0
        elif not first:
            lines = 0
        else:
            lines += 1
            title, title_start = line.strip(), position
            if lines == 1 and (len(title) > MAX_TITLE or _NO_TITLE.match(line)):
                lines = 9
        position = end


def find_chapter_lines(text: str) -> Iterator[Heading]:
    """Lines that stand by themselves and state a chapter, as headings."""
    for match in _LONE_LINE.finditer(text):
        if number_in_heading(match[1]) is not None:
            yield Heading(2, match[1].strip(), match.start(1), min(match.end(1) + 1, len(text)))


def _after_fence(fence: str, mark: re.Match[str], line: str) -> str:
    """The fence that is open after this line, or ""."""
    found: str = mark[1] or mark[2]
    if not fence:
        return found
    closes = found[0] == fence[0] and len(found) >= len(fence) and line.strip() == found
    return "" if closes else fence


def _atx(line: str) -> tuple[int, str] | None:
    """(level, title) of a `## Title` line, its closing #s removed."""
    stripped = line.strip()
    level = len(stripped) - len(stripped.lstrip("#"))
    rest = stripped[level:]
    if level > 6 or line[:4].isspace() or rest[:1] not in (" ", "\t"):
        return None
    opened = rest.rstrip("#")
    title = (opened if opened[-1:] in (" ", "\t") else rest).strip()
    return (level, title) if title else None
