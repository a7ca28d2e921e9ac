"""A page taken apart: running prose, paragraphs, sentences, words. Pure functions of text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property


def word_set(text: str) -> frozenset[str]:
    """The words between spaces, as a set."""
    return frozenset(text.split())


WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d[\d.,:]*|[.!?]+|…|[,;:()]|[\"“”«»]|—|–|--+")
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
FENCED = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?(?:^\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
LIST_LINE = re.compile(
    r"\s*(?:[-*+•·▪–—]\s+\S|\(?\d{1,4}[.):]\s|\(?[a-zA-Z][.)]\s|\|.*|\S.*\|\s*\S.*\||"
    r"\[[ xX]?\]|[A-Z][\w ]{0,24}:\s\S)"
)
DASH_TALK = re.compile(r"\s*[–—]\s*[\"“‘']?[A-Z].*[.!?,…][\"”’']?\s*$")
HEADING = re.compile(r"\s*#{1,6}\s")
ENDED = re.compile(r"[.!?…:;,—–-][\"”’')\]*_]*\s*$")
STOPPED = re.compile(r"[.!?…][\"”’')\]*_]*\s*$")
ABBREVIATIONS = word_set(
    "mr mrs ms dr st prof rev hon capt col gen lieut lt sgt maj messrs esq jr sr no vol fig vs "
    "etc viz i.e e.g ii iii iv vi vii viii ix xi xii"
)
RUN = re.compile(r"([^\w\s])\1{9,}")  # thousands of dots would take the patterns minutes
BOUNDARY = re.compile(r"([.!?…]+[\"”’')\]*_]*)\s+(?=[\"“‘'(\[*_—–-]*[A-Z0-9À-Þ])")


@dataclass(frozen=True)
class Page:
    """A page. `paragraphs` is its running prose; `other` is words in lists, tables and code."""

    paragraphs: tuple[str, ...]
    other: int

    @cached_property
    def sentences(self) -> list[str]:
        """All sentences in order."""
        return [s for paragraph in self.paragraphs for s in split_sentences(paragraph)]

    @cached_property
    def prose(self) -> str:
        """The running prose, paragraphs a blank line apart."""
        return "\n\n".join(self.paragraphs)

    @cached_property
    def words(self) -> list[str]:
        """Words of the running prose in lower case, apostrophes straight."""
        return words_of(self.prose)


def words_of(text: str) -> list[str]:
    """Words in lower case; straight apostrophes."""
    return [word.replace("’", "'").lower() for word in WORD.findall(text)]


def clean(text: str) -> str:
    """Text in NFC with plain line ends, without front matter, emphasis marks and fenced code."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = FENCED.sub("", FRONT_MATTER.sub("", text.lstrip("\ufeff")))
    text = RUN.sub(r"\1\1\1", text)
    return re.sub(r"(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)", "", text)


def read_page(text: str) -> Page:
    """Tell running prose from the rest.

    Lines of one paragraph may be wrapped at any width. List items, table rows, fenced code and
    blocks of short lines that end nowhere are counted as `other`; headings are left out.
    """
    fenced = sum(len(WORD.findall(block[0])) for block in FENCED.finditer(text))
    paragraphs: list[str] = []
    other = fenced
    for block in re.split(r"\n\s*\n", clean(text)):
        lines = [line for line in block.split("\n") if line.strip()]
        lines = [line for line in lines if not HEADING.match(line) and not _rule(line)]
        listed = [line for line in lines if _listed(line)]
        if (listed and 2 * len(listed) >= len(lines)) or _verse_or_items(lines):
            other += sum(len(WORD.findall(line)) for line in lines)
        elif lines and not _title(lines):
            paragraphs += _joined(lines)
    return Page(tuple(paragraphs), other)


def _rule(line: str) -> bool:
    return not any(ch.isalnum() for ch in line)


def _listed(line: str) -> bool:
    if DASH_TALK.match(line):  # dialogue as Joyce and the French set it
        return False
    if re.match(r"\s*[A-Z][\w ]{0,24}:\s\S", line):  # `Name: value`, but no sentence with a colon
        return len(WORD.findall(line)) <= 12 and not STOPPED.search(line)
    return bool(LIST_LINE.match(line))


def _title(lines: list[str]) -> bool:
    words = sum(len(WORD.findall(line)) for line in lines)
    return words <= 12 and not ENDED.search(lines[-1]) and len(lines) <= 2


def _verse_or_items(lines: list[str]) -> bool:
    """Many short lines of which few end a sentence: items, or verse."""
    if len(lines) < 4:
        return False
    short = sum(len(line.strip()) < 48 for line in lines)
    return short >= 0.8 * len(lines) and sum(
        bool(STOPPED.search(line)) for line in lines
    ) < 0.5 * len(lines)


def _joined(lines: list[str]) -> list[str]:
    """Paragraphs of a block: one for each line where lines are paragraphs, else all joined."""
    whole = [line for line in lines if STOPPED.search(line)]
    wrapped = [line for line in lines if 40 <= len(line.strip()) <= 90]
    if len(lines) > 1 and len(whole) >= 0.9 * len(lines) and len(wrapped) < 0.9 * len(lines):
        return [line.strip() for line in lines]
    return [" ".join(line.strip() for line in lines)]


def split_sentences(paragraph: str) -> list[str]:
    """Sentences of a paragraph, quotes and closing marks kept with them."""
    found, start = [], 0
    for mark in BOUNDARY.finditer(paragraph):
        before = paragraph[start : mark.start()].rsplit(None, 1)
        last = before[-1].strip("\"“‘'(") if before else ""
        if mark[1].startswith(".") and (
            last.lower() in ABBREVIATIONS or (len(last) == 1 and last != "I")
        ):
            continue
        found.append(paragraph[start : mark.end(1)].strip())
        start = mark.end()
    rest = paragraph[start:].strip()
    return [sentence for sentence in [*found, rest] if WORD.search(sentence)]
