"""A section's text as paragraphs with offsets; scene marks told from prose. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

# A line of marks alone: ***, * * *, ---, #, ⁂, ~~~, · · ·
SCENE_MARK = re.compile(r"(?:[*#~•⁂·⸻—–_=+◆◇❖-][ \t]*){1,20}|<hr ?/?>|\\\*{1,3}")
_BLANK = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)*")
# Hard-wrapped lines, as of Project Gutenberg, are about 70 characters long.
WRAP_LOW, WRAP_HIGH = 48, 90


@dataclass(frozen=True)
class Paragraph:
    """Text from characters [start, end) of a section; `mark`: it only separates scenes.

    `gap`: more than one blank line stands before it, which separates scenes too.
    """

    text: str
    start: int
    end: int
    mark: bool = False
    gap: bool = False


def paragraphs_of(text: str) -> list[Paragraph]:
    """The paragraphs of a text, in order. Every character that is no blank is in exactly one.

    Lines of a paragraph that was wrapped at a fixed width are joined; verse keeps its lines.
    """
    found: list[Paragraph] = []
    for start, end, gap in _blocks(text):
        lines = list(_lines(text, start, end))
        if _each_line_is_one(lines):
            found += [
                _paragraph(line, at, at + len(line), gap and at == lines[0][0])
                for at, line in lines
            ]
        else:
            first, last = lines[0][0], lines[-1][0] + len(lines[-1][1])
            found.append(_paragraph(_joined([line for _, line in lines]), first, last, gap))
    return found


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    position, gap = 0, False
    for blank in [*_BLANK.finditer(text), None]:
        end = blank.start() if blank else len(text)
        if text[position:end].strip():
            yield position, end, gap
            gap = False
        if blank:
            gap = gap or blank[0].count("\n") > 2
            position = blank.end()


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    for match in re.finditer(r"[^\n]+", text[start:end]):
        stripped = match[0].strip()
        if stripped:
            yield start + match.start() + match[0].index(stripped[0]), stripped


def _each_line_is_one(lines: list[tuple[int, str]]) -> bool:
    """Exports of word processors have a paragraph on each line and no blank lines."""
    return len(lines) > 1 and median(len(line) for _, line in lines) > WRAP_HIGH


def _joined(lines: list[str]) -> str:
    if len(lines) > 1 and WRAP_LOW <= median(len(line) for line in lines[:-1]) <= WRAP_HIGH:
        return " ".join(lines)
    return "\n".join(lines)


def _paragraph(text: str, start: int, end: int, gap: bool) -> Paragraph:
    return Paragraph(text, start, end, bool(SCENE_MARK.fullmatch(text)), gap)
