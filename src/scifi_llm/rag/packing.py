"""Where to cut a text into passages. Pure: the caller brings the places of the tokens."""

from __future__ import annotations

import hashlib
import math
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Mean number of passages between two anchors: an edit can move cuts as far as the next one.
ANCHOR_EVERY = 8
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*\s+")
_CLAUSE_END = re.compile(r"[,;:—–]\s+|\n\s*")
_WORD_END = re.compile(r"\s+")
_SCENE_BREAK = re.compile(r"[ \t]*(?:(?:[*•~_=-][ \t]*){3,}|[#⁂§][ \t]*)(?:\n|$)")
# A full stop after these, or after one capital letter, ends no sentence.
_NO_END = re.compile(
    r"(?:\b(?i:mrs?|ms|mx|dr|prof|st|sr|jr|capt|cmdr|col|gen|lt|maj|sgt|rev|hon|messrs|mme|mlle|"
    r"vol|fig|ch|vs|etc|e\.g|i\.e|cf|al)|(?:^|[\s(“‘\"'.])[A-Z])\.$"
)


@dataclass(frozen=True)
class Piece:
    """A stretch that is not cut: `tokens` in it, and whether a group may begin with it."""

    start: int
    end: int
    tokens: int
    scene: bool = False
    anchor: bool = False


def pack(text: str, starts: Sequence[int], room: int, target: int) -> list[tuple[int, int]]:
    """Spans of `text` of at most `room` tokens and about `target`, no white space at their ends.

    `starts` are the tokens' places in `text`, ascending. Concatenated, the spans are the text less
    the white space at its cuts. Cuts are at scene breaks and paragraphs, else sentences, clauses,
    words, else anywhere; only a single character of more tokens than `room` exceeds it.

    The text is first divided at anchors, paragraphs that are chosen by a hash of themselves, so
    that an edit moves no cut beyond the next one. Between anchors passages are of like size.
    """
    spans: list[tuple[int, int]] = []
    for group in _groups(list(_pieces(text, starts, room, min(room, target))), target):
        spans += _balanced(group, starts, room, target)
    return spans


def _groups(pieces: list[Piece], target: int) -> list[list[Piece]]:
    groups: list[list[Piece]] = [[]]
    size = 0
    for piece in pieces:
        if (piece.scene and size * 2 >= target) or (piece.anchor and size >= target):
            groups.append([])
            size = 0
        groups[-1].append(piece)
        size += piece.tokens
    if len(groups) > 1 and size * 2 < target:  # too little to stand alone
        tail = groups.pop()
        groups[-1] += tail
    return groups


def _balanced(
    group: list[Piece], starts: Sequence[int], room: int, target: int
) -> Iterator[tuple[int, int]]:
    total = sum(piece.tokens for piece in group)
    goal = total / max(1, math.ceil(total / target))
    start = end = used = 0
    for piece in group:
        # Counted anew: white space between pieces may hold tokens too.
        more = count(starts, start, piece.end)
        if used and (more > room or used + piece.tokens / 2 > goal):
            yield start, end
            used = 0
        if not used:
            start = piece.start
        end = piece.end
        used = max(count(starts, start, end), 1)
    if used:
        yield start, end


def _pieces(text: str, starts: Sequence[int], room: int, target: int) -> Iterator[Piece]:
    for a, b in _split(text, 0, len(text), _ends(text, 0, len(text), _PARAGRAPH_END)):
        paragraph = text[a:b]
        tokens = count(starts, a, b)
        scene = bool(_SCENE_BREAK.match(paragraph))
        share = tokens / (ANCHOR_EVERY * target)
        anchor = _fraction(paragraph) < share
        for c, d in _fitting(text, starts, a, b, room, target):
            first = c == a
            yield Piece(c, d, count(starts, c, d), first and scene, first and anchor)


def _fitting(
    text: str, starts: Sequence[int], a: int, b: int, room: int, target: int, level: int = 0
) -> Iterator[tuple[int, int]]:
    """text[a:b] whole where it fits, else cut at the first kind of place that there is.

    Paragraphs are cut into sentences to come near `target`; a sentence is cut only beyond `room`.
    """
    fits = (target, min(target * 3 // 2, room))[level] if level < 2 else room
    if b - a <= 1 or count(starts, a, b) <= fits:
        yield a, b
        return
    if level == len(_LEVELS):
        # One word of more than `room` tokens.
        first = bisect_left(starts, a)
        cut = max(starts[first + max(room, 1)], a + 1)
        yield a, cut
        yield from _fitting(text, starts, cut, b, room, target, level)
        return
    for c, d in _split(text, a, b, _LEVELS[level](text, a, b)):
        yield from _fitting(text, starts, c, d, room, target, level + 1)


def _sentences(text: str, a: int, b: int) -> Iterator[int]:
    for end in _ends(text, a, b, _SENTENCE_END):
        if end < b and text[end].islower():  # "Wait ... what?", “Stop!” he said.
            continue
        if not _NO_END.search(text, max(a, end - 12), len(text[:end].rstrip())):
            yield end


def _outside_quotes(text: str, a: int, b: int) -> Iterator[int]:
    """Ends of sentences that are not within “dialogue”."""
    for end in _sentences(text, a, b):
        if text.count("“", a, end) <= text.count("”", a, end):
            yield end


def _ends(text: str, a: int, b: int, pattern: re.Pattern[str]) -> Iterator[int]:
    return (match.end() for match in pattern.finditer(text, a, b))


def _clauses(text: str, a: int, b: int) -> Iterator[int]:
    return _ends(text, a, b, _CLAUSE_END)


def _words(text: str, a: int, b: int) -> Iterator[int]:
    return _ends(text, a, b, _WORD_END)


_LEVELS = (_outside_quotes, _sentences, _clauses, _words)


def _split(text: str, a: int, b: int, ends: Iterator[int]) -> Iterator[tuple[int, int]]:
    for end in [*ends, b]:
        c, d = _trim(text, a, end)
        if c < d:
            yield c, d
        a = end


def _trim(text: str, a: int, b: int) -> tuple[int, int]:
    while a < b and text[a].isspace():
        a += 1
    while a < b and text[b - 1].isspace():
        b -= 1
    return a, b


def count(starts: Sequence[int], a: int, b: int) -> int:
    """Tokens that start in [a, b)."""
    return bisect_left(starts, b) - bisect_left(starts, a)


def _fraction(text: str) -> float:
    """A number in [0, 1) that depends on the text alone, the same on every run."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
