"""What an author's reader sees of Markdown: comments, link brackets and ids are left out. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from ..errors import ToolkitError

_TRIGGERS = ("%%", "<!--", "[[", ";base64,", "^")
# An escape is looked at first, so that it hides what follows it.
_OPENER = re.compile(
    r"(?P<escape>\\[\\`\[!%<])"
    r"|^[ \t]{0,3}(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})"
    r"|(?P<code>`+)"
    r"|(?P<html><!--)"
    r"|(?P<remark>%%)"
    r"|(?P<link>!?\[\[)"
    r"|(?P<data>data:[\w.+-]+/[\w.+-]+;base64,)"
    r"|(?P<block>(?:^|[ \t])\^(?:[0-9a-f]{6}|(?=[0-9-]*[A-Za-z])[A-Za-z0-9-]{2,})[ \t]*$)",
    re.M,
)
_BASE64 = re.compile(r"[A-Za-z0-9+/=%]*")
_BACKTICKS = re.compile(r"`+")
_ATTACHMENT = re.compile(r"\.(?!md$)[A-Za-z0-9]{2,4}$")
MAX_CODE = 1000  # characters of inline code; what is longer is searched for comments
MAX_LINK = 500


@dataclass(frozen=True)
class Visible:
    """What is left of a text: `cuts` are (place in `text`, characters left out up to there)."""

    text: str
    cuts: tuple[tuple[int, int], ...]
    links: tuple[str, ...]

    def left_out(self, position: int) -> int:
        """How many characters of the source were left out before text[position]."""
        before = bisect_right(self.cuts, position, key=lambda cut: cut[0])
        return self.cuts[before - 1][1] if before else 0

    def cuts_between(self, start: int, end: int) -> tuple[tuple[int, int], ...]:
        """The cuts inside text[start:end], counted from `start`."""
        base = self.left_out(start)
        first = bisect_right(self.cuts, start, key=lambda cut: cut[0])
        last = bisect_right(self.cuts, end - 1, key=lambda cut: cut[0])
        return tuple((place - start, total - base) for place, total in self.cuts[first:last])


def visible(source: str, start: int = 0) -> Visible:
    """What a reader sees of source[start:]; places in it count from `start`.

    Left out: `%%comments%%`, HTML comments, embeds, the brackets and the target of wiki links
    `[[target|shown]]`, block ids, embedded files in base64. Code is not touched.

    Raises ToolkitError where a comment does not end: what the author meant to hide is not known.
    """
    if not any(trigger in source for trigger in _TRIGGERS):
        return Visible(source[start:], (), ())
    spans: list[tuple[int, int]] = []
    links: dict[str, None] = {}
    position = start
    while match := _OPENER.search(source, position):
        position = _step(source, match, spans, links)
    pieces, cuts, at, length, total = [], [], start, 0, 0
    for a, b in spans:
        pieces.append(source[at:a])
        length += a - at
        total += b - a
        cuts.append((length, total))
        at = b
    pieces.append(source[at:])
    # Cuts that follow each other at one place are one.
    return Visible("".join(pieces), tuple(dict(cuts).items()), tuple(links))


def _step(
    source: str, match: re.Match[str], spans: list[tuple[int, int]], links: dict[str, None]
) -> int:
    """Note what the opener `match` leaves out; return where to go on."""
    kind, end = match.lastgroup, match.end()
    if kind == "fence":
        return _fence_end(source, match["fence"], end)
    if kind == "code":
        return _code_end(source, len(match["code"]), end)
    if kind == "link":
        return _link(source, match, spans, links)
    if kind == "html":
        end = _comment_end(source, match, "-->", match.start() + 2)
    elif kind == "remark":
        end = _comment_end(source, match, "%%", end)
    elif kind == "data" and (data := _BASE64.match(source, end)):
        end = data.end()
    if kind != "escape":
        spans.append((match.start(), end))
    return end


def _comment_end(source: str, match: re.Match[str], mark: str, start: int) -> int:
    found = source.find(mark, start)
    if found < 0:
        line = source.count("\n", 0, match.start()) + 1
        raise ToolkitError(
            f"its comment that begins with {match[0]} in line {line} does not end with {mark} "
            f"(plain text is written \\{match[0]})"
        )
    return found + len(mark)


def _fence_end(source: str, mark: str, start: int) -> int:
    close = re.compile(rf"^[ \t]{{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", re.M)
    found = close.search(source, source.find("\n", start) + 1 or len(source))
    return found.end() if found else len(source)


def _code_end(source: str, ticks: int, start: int) -> int:
    limit = min(len(source), start + MAX_CODE)
    blank = source.find("\n\n", start, limit)
    for found in _BACKTICKS.finditer(source, start, limit if blank < 0 else blank):
        if len(found[0]) == ticks:
            return found.end()
    return start


def _link(
    source: str, match: re.Match[str], spans: list[tuple[int, int]], links: dict[str, None]
) -> int:
    start = match.end()
    close = source.find("]]", start, start + MAX_LINK)
    inside = source[start:close] if close > start else ""
    if not inside.strip() or re.search(r"[\[\]\n]|%%|<!--", inside):
        return start
    target, pipe, _ = inside.partition("|")
    target = target.removesuffix("\\")  # in a table the pipe is escaped
    page, _, anchor = target.partition("#")
    if page.strip() and not _ATTACHMENT.search(page.strip()):
        links[page.strip().rsplit("/", 1)[-1].removesuffix(".md")] = None
    if match[0].startswith("!"):
        spans.append((match.start(), close + 2))
        return close + 2
    shown = start + len(inside.partition("|")[0]) + 1 if pipe else start + (not page)
    spans.append((match.start(), shown))
    # A block id is nothing to read; a heading is.
    ends = start + len(page) if anchor.startswith("^") and not pipe else close
    spans.append((max(ends, shown), close + 2))
    return close + 2
