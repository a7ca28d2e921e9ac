"""What is printed in a book and is not the author's prose: licence, title page, contents. Pure."""

from __future__ import annotations

import re

LICENCE_START = re.compile(
    r"^[ \t]*\*{3}[ \t]*START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK.*$"
    r"|^[ \t]*\*END[ *]*THE SMALL PRINT!.*$",
    re.I | re.M,
)
LICENCE_END = re.compile(
    r"^[ \t]*\*{3}[ \t]*END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK.*$"
    r"|^[ \t]*End of (?:the |this )?Project Gutenberg.*$"
    r"|^[ \t]*START: FULL LICENSE.*$",
    re.I | re.M,
)
# Sections of these headings are dropped whole. A prologue, a preface or a foreword is often part of
# the fiction and stays.
DROPPED_HEADINGS = re.compile(
    r"(?:table of )?contents|copyright(?: page| notice)?|title ?page|dedication|acknowledge?ments?"
    r"|about the (?:author|publisher|type)|also by .*|other books by .*|by the same author|colophon"
    r"|praise for .*|licen[cs]e|the full project gutenberg.*|transcriber.?s?.? notes?|illustrations"
    r"|list of (?:illustrations|figures|maps)|index|credits|newsletter|imprint",
    re.I,
)
_RIGHTS = re.compile(
    r"©|\bcopyright\b|\ball rights reserved\b|\bISBN\b|\bfirst published\b|\bpublished by\b"
    r"|\bproject gutenberg\b|\bprinted in\b|\bwork of fiction\b.*\bcoincidental\b"
    r"|\be-?text (?:prepared|produced)\b|^produced by\b|\bdistributed proofread|\btranscriber",
    re.I | re.S,
)
_CONTENTS_LINE = re.compile(
    r"^(?:contents|table of contents)$|(?:\.{3,}|(?:\. ){3,}|\t)\s*\d+\s*$", re.I | re.M
)
_CONTENTS_ENTRY = re.compile(
    r"^[ \t]*(?:(?:chapter|part|book|letter)\b|(?-i:[IVXLC]+)\b[. \t]|\d{1,3}[.) \t])", re.I | re.M
)
_END_MARK = re.compile(
    r"[*_# ]*(?:the end|finis|end of (?:book|volume|part)\b.{0,20})[.*_# ]*", re.I
)
SHORT_WORDS = 120  # a rights notice is shorter than this; longer prose may speak of copyright


def licence_span(text: str) -> tuple[int, int]:
    """[start, end) of what stands between the licence's marks; the whole text without them."""
    starts = [match.end() for match in LICENCE_START.finditer(text)]
    start = starts[-1] if starts else 0
    end = LICENCE_END.search(text, start)
    return start, end.start() if end else len(text)


def why_dropped(paragraph: str, title_page: bool, at_edge: bool) -> str:
    """Why a paragraph is no prose of the author: a reason for the ledger, or "".

    `title_page`: it stands on the page above the first chapter, where titles and bylines are.
    `at_edge`: it is among the first or last paragraphs of a file, where rights notices are.
    """
    if _END_MARK.fullmatch(paragraph):
        return "end mark"
    if all(line.lstrip().startswith("|") for line in paragraph.split("\n")):
        return "table"
    if at_edge and _is_contents(paragraph):
        return "contents"
    if len(paragraph.split()) >= SHORT_WORDS:
        return "title page" if title_page else ""
    if at_edge and _RIGHTS.search(paragraph):
        return "rights and licence"
    return "title page" if title_page else ""


def _is_contents(paragraph: str) -> bool:
    """A list of chapters: lines that end in page numbers, or three lines that begin as headings."""
    lines = paragraph.count("\n") + 1
    entries = len(_CONTENTS_ENTRY.findall(paragraph))
    return bool(_CONTENTS_LINE.search(paragraph)) or (lines >= 3 and entries >= 0.7 * lines)


def is_dropped_heading(heading: str) -> bool:
    """Is this the heading of a section that is dropped whole?"""
    return bool(DROPPED_HEADINGS.fullmatch(heading.strip(" \t*_.:").strip()))
