"""A chapter as pieces of at most so many tokens, cut only at the ends of scenes and paragraphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .manuscript import Chapter, Place

JOIN_TOKENS = 2  # what "\n\n" between two paragraphs takes at most
SEPARATOR = "\n\n"


@dataclass(frozen=True)
class Piece:
    """Consecutive paragraphs of a chapter.

    `number` of `count` pieces in the chapter; `scene_end` and `chapter_end` say what ends here.
    """

    chapter: Chapter
    places: tuple[Place, ...]
    number: int
    count: int
    scene_start: bool
    scene_end: bool

    @property
    def text(self) -> str:
        """The piece as the model is given it: paragraphs a blank line apart."""
        return SEPARATOR.join(place.text for place in self.places)

    @property
    def chapter_end(self) -> bool:
        """Is this the last piece of its chapter?"""
        return self.number == self.count

    @property
    def span(self) -> tuple[int, int]:
        """Offsets in the file."""
        return self.places[0].start, self.places[-1].end


def cut(
    chapter: Chapter, limit: int, count: Callable[[str], int], across_scenes: bool
) -> tuple[list[Piece], list[Place]]:
    """(pieces, scene marks left out) of a chapter.

    A piece has at most `limit` tokens, unless one paragraph alone has more: no sentence is cut.
    `across_scenes`: short scenes are joined, with the author's mark between them.
    """
    scenes = _scenes(chapter.places)
    groups: list[list[Place]] = []
    for scene in scenes:
        parts = _parts(scene, limit, count)
        joins = across_scenes and groups and len(parts) == 1
        if joins and _tokens([*groups[-1], *parts[0]], count) <= limit:
            groups[-1] += parts[0]
        else:
            groups += parts
    trimmed = [_trimmed(group) for group in groups]
    marks = [place for _, outside in trimmed for place in outside]
    kept = [inside for inside, _ in trimmed if inside]
    starts = {place for scene in scenes for place in _first_prose(scene)}
    ends = {place for scene in scenes for place in _first_prose(scene[::-1])}
    pieces = [
        Piece(chapter, tuple(group), i, len(kept), group[0] in starts, group[-1] in ends)
        for i, group in enumerate(kept, start=1)
    ]
    return pieces, marks


def _first_prose(places: Sequence[Place]) -> list[Place]:
    return [place for place in places if not place.paragraph.mark][:1]


def _scenes(places: Sequence[Place]) -> list[list[Place]]:
    """A mark begins the scene that follows it; a gap of blank lines begins one too."""
    scenes: list[list[Place]] = [[]]
    for place in places:
        begins = place.paragraph.mark or place.paragraph.gap
        after_marks = all(other.paragraph.mark for other in scenes[-1])
        if begins and not after_marks:
            scenes.append([])
        scenes[-1].append(place)
    return [scene for scene in scenes if scene]


def _parts(scene: list[Place], limit: int, count: Callable[[str], int]) -> list[list[Place]]:
    """A scene in as few parts as the limit allows, of about equal length."""
    sizes = [count(place.text) + JOIN_TOKENS for place in scene]
    wanted = max(1, -(-sum(sizes) // limit))
    share = sum(sizes) / wanted
    parts: list[list[Place]] = [[]]
    size, total = 0, 0
    for place, tokens in zip(scene, sizes, strict=True):
        full = size + tokens > limit or total + tokens / 2 > share * len(parts)
        if parts[-1] and full:
            parts.append([])
            size = 0
        parts[-1].append(place)
        size, total = size + tokens, total + tokens
    return parts


def _tokens(places: Sequence[Place], count: Callable[[str], int]) -> int:
    return sum(count(place.text) + JOIN_TOKENS for place in places)


def _trimmed(group: list[Place]) -> tuple[list[Place], list[Place]]:
    """(the group without marks at its ends, those marks)."""
    inside = list(group)
    outside = []
    while inside and inside[0].paragraph.mark:
        outside.append(inside.pop(0))
    while inside and inside[-1].paragraph.mark:
        outside.append(inside.pop())
    return inside, outside
