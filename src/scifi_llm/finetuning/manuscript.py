"""The readers' sections as chapters of prose, and what was taken out on the way. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from ..documents import Section
from .boilerplate import is_dropped_heading, licence_span, why_dropped
from .paragraphs import Paragraph, paragraphs_of

EDGE = 30  # paragraphs at the start and at the end of a file where rights notices stand
LARGE_WORDS = 15_000  # a unit larger than this is a part or a book: its own headings divide it
BLOCK_WORDS = 3_000  # the size of blocks in a text without chapters
FRONT_WORDS = 150  # a title page is shorter; longer text above the first chapter is a prologue
_NUMBER = (
    r"(?:\d{1,3}|(?-i:[IVXLC]{1,7})|(?:twenty|thirty|forty|fifty)?[ -]?(?:one|two|three|four|five"
    r"|six|seven|eight|nine)|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty|thirty"
    r"|forty|fifty|the (?:first|second|third|fourth|fifth|last))"
)
# Headings of plain text: "CHAPTER IV", "Chapter 2. The Fall", "PROLOGUE", "XII", "PART TWO".
PLAIN_HEADING = re.compile(
    rf"(?:chapter|part|book|letter)[ \t]+{_NUMBER}(?:[.:—– \t-].{{0,70}})?"
    r"|(?:prologue|epilogue|interlude|introduction|afterword|foreword|preface)(?:[.:—–-].{0,60})?"
    r"|(?-i:[IVXLC]{1,7})\.?|(?-i:[IVXLC]{1,7})\.[ \t](?-i:[A-Z]).{1,60}",
    re.I,
)


@dataclass(frozen=True)
class Place:
    """A paragraph of a file; offsets count characters of the file's text, as the readers do."""

    paragraph: Paragraph
    start: int
    end: int

    @property
    def text(self) -> str:
        """The paragraph's text."""
        return self.paragraph.text


@dataclass(frozen=True)
class Chapter:
    """One chapter: `source` is the file's path, `book` its title, `heading` the chapter's own."""

    source: str
    book: str
    heading: str
    places: tuple[Place, ...]

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.source} ({self.heading})" if self.heading else self.source

    @property
    def words(self) -> int:
        """Words of its prose."""
        return sum(len(place.text.split()) for place in self.places)


@dataclass(frozen=True)
class Removed:
    """Text that was taken out, and why."""

    source: str
    text: str
    reason: str


@dataclass
class Manuscript:
    """Chapters in reading order; everything that is in no chapter is in `removed`."""

    chapters: list[Chapter] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    unchaptered: list[str] = field(default_factory=list)


def read_manuscript(sections: Iterable[Section]) -> Manuscript:
    """Chapters of prose out of the sections of all files."""
    manuscript = Manuscript()
    for source, group in groupby(sections, key=lambda section: section.note.path):
        _add_file(manuscript, source, list(group))
    return manuscript


def _add_file(manuscript: Manuscript, source: str, sections: list[Section]) -> None:
    above: tuple[str, ...] = ()
    for section in sections:
        pairs = enumerate(zip(above, section.heading, strict=False))
        shared = min(len(above), len(section.heading))
        shared = next((i for i, (one, other) in pairs if one != other), shared)
        above = section.heading
        manuscript.removed += [Removed(source, name, "heading") for name in above[shared:]]
    depth = _chapter_depth(sections)
    kept, edges = _without_boilerplate(manuscript, source, sections, depth)
    for heading, places in _units(kept, depth):
        chapter = Chapter(source, sections[0].note.title, heading, tuple(places))
        parts = _plain_chapters(manuscript, chapter) if not heading else [chapter]
        for part in parts:
            alone = not depth and len(parts) == 1
            title_page = not part.heading and not alone and part.words < FRONT_WORDS
            clean = _without_notices(manuscript, part, title_page, edges)
            if clean.places:
                manuscript.chapters.append(clean)


def _chapter_depth(sections: list[Section]) -> int:
    """How many headings of a path name a chapter: the first level that divides the file, and the
    one below it where the parts are large enough to be books. 0: no heading divides it."""
    deepest = max(len(section.heading) for section in sections)
    for depth in range(1, deepest + 1):
        words: dict[tuple[str, ...], int] = {}
        for section in sections:
            key = section.heading[:depth]
            words[key] = words.get(key, 0) + len(section.text.split())
        full = [count for key, count in words.items() if len(key) == depth and count]
        if len(full) > 1 and (max(full) <= LARGE_WORDS or depth == deepest):
            return depth
    return deepest if deepest and len({section.heading for section in sections}) > 1 else 0


def _without_boilerplate(
    manuscript: Manuscript, source: str, sections: list[Section], depth: int
) -> tuple[list[tuple[Section, Place]], set[int]]:
    """(section, paragraph) of what may be prose, and the offsets of those at the file's edges."""
    start, end = _licence_of(sections)
    kept: list[tuple[Section, Place]] = []
    for section in sections:
        unwanted = any(is_dropped_heading(name) for name in section.heading)
        for place in _places(section):
            if place.start < start or place.end > end:
                manuscript.removed.append(Removed(source, place.text, "rights and licence"))
            elif unwanted:
                manuscript.removed.append(Removed(source, place.text, "front and back matter"))
            else:
                kept.append((section, place))
    offsets = [place.start for _, place in kept]
    return kept, {*offsets[:EDGE], *offsets[-EDGE:]}


def _licence_of(sections: list[Section]) -> tuple[int, int]:
    """Offsets in the file between which no licence stands."""
    start, end = 0, max(section.end for section in sections) + 1
    for section in sections:
        inner, outer = licence_span(section.text)
        if inner:
            start = max(start, section.span(inner - 1, inner)[1])
        if outer < len(section.text) and end > section.end:
            end = section.span(outer, outer + 1)[0]
    return start, end


def _places(section: Section) -> Iterator[Place]:
    if section.heading and _bare(section.text) == _bare(section.heading[-1]):
        return  # a heading with nothing below it is the section's text too
    for paragraph in paragraphs_of(section.text):
        yield Place(paragraph, *section.span(paragraph.start, paragraph.end))


def _bare(text: str) -> str:
    return re.sub(r"[#=\s-]+", "", text)


def _units(kept: list[tuple[Section, Place]], depth: int) -> Iterator[tuple[str, list[Place]]]:
    for path, group in groupby(kept, key=lambda pair: pair[0].heading[:depth]):
        heading = path[-1] if len(path) == depth and path else ""
        yield heading, [place for _, place in group]


def _plain_chapters(manuscript: Manuscript, chapter: Chapter) -> list[Chapter]:
    """A text without headings of its own, divided at lines that look like chapter headings."""
    found: list[Chapter] = []
    heading, places = "", list[Place]()
    for place in chapter.places:
        if "\n" not in place.text and PLAIN_HEADING.fullmatch(place.text.strip("*_ ")):
            manuscript.removed.append(Removed(chapter.source, place.text, "heading"))
            found += [replace(chapter, heading=heading, places=tuple(places))] if places else []
            heading, places = place.text.strip("*_ "), []
        else:
            places.append(place)
    return [*found, replace(chapter, heading=heading, places=tuple(places))]


def _without_notices(
    manuscript: Manuscript, chapter: Chapter, title_page: bool, edges: set[int]
) -> Chapter:
    kept = []
    for place in chapter.places:
        reason = why_dropped(place.text, title_page, place.start in edges)
        if reason:
            manuscript.removed.append(Removed(chapter.source, place.text, reason))
        else:
            kept.append(place)
    return replace(chapter, places=tuple(kept))


def blocks_of(chapter: Chapter) -> list[Chapter]:
    """A text without chapters as blocks of about BLOCK_WORDS words, cut between paragraphs."""
    count = max(1, round(chapter.words / BLOCK_WORDS))
    size, blocks, words = chapter.words / count, [[]], 0  # type: tuple[float, list[list[Place]], int]
    for place in chapter.places:
        if words >= size * len(blocks) and len(blocks) < count:
            blocks.append([])
        blocks[-1].append(place)
        words += len(place.text.split())
    return [
        replace(chapter, heading=f"part {i} of {count}", places=tuple(places))
        for i, places in enumerate(blocks, start=1)
    ]
