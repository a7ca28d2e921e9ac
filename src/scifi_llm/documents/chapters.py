"""Chapter numbers in file names and headings. Pure. What is not plain has no number.

A wrong number would show the reader of chapter 3 what chapter 30 tells; no number only hides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

# Numbered scenes of one chapter look like numbered chapters of a novel. A text as long as this,
# with so many numbers, is no single chapter.
NOVEL_WORDS = 25_000
NOVEL_CHAPTERS = 5

# fmt: off
_UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
          "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
          "nineteen"]
# fmt: on
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {word: i for i, word in enumerate(_UNITS, 1)} | {
    word: i * 10 for i, word in enumerate(_TENS, 2)
}
_SPELLED = rf"(?:{'|'.join(_TENS)})[ _-]+(?:{'|'.join(_UNITS[:9])})(?![a-z])|(?:{'|'.join(_WORDS)})"
# Single L and C are letters more often than 50 and 100.
_ROMAN = r"(?![LC]\b)(?=[IVXLC])C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
# "chapter-03-dawn", "Ch 12", or a number at the start: "07_title".
_DIGITS_IN_NAME = re.compile(r"(?:(?<![a-z])ch(?:apter)?[ _.-]*|^)0*(\d{1,3})(?!\d)", re.I)
_TEXT_IN_NAME = re.compile(
    rf"(?<![a-z])chapter[ _.-]*(?:(?P<words>{_SPELLED})(?![a-z])"
    rf"|(?P<roman>{_ROMAN})(?:$|\.| - |(?<=[ivxlc]{{2}})[ _-]))",
    re.I,
)
# "Chapter 3-4", "IV & V", "3.5": to which of the two a sentence belongs is not said.
_SECOND = rf"[ \t]*(?:\d{{1,3}}|[IVXLC]+|{_SPELLED})[ \t]*(?:$|[.:])"
_NO_RANGE = rf"(?![.,]\d|[ \t]*(?:[-–—+&/,]|and\b|to\b){_SECOND})"
_HEADING = re.compile(
    rf"ch(?:apter|\.)?[ \t]+(?:0*(?P<digits>\d{{1,3}})(?!\w){_NO_RANGE}"
    rf"|(?:(?P<words>{_SPELLED})|(?P<roman>{_ROMAN})){_NO_RANGE}[ \t]*(?:$|[.:,–—]|-[ -]))",
    re.I,
)
_BARE = re.compile(rf"(?:(?P<digits>\d{{1,3}})|(?P<roman>{_ROMAN}))[ \t]*(?:$|[.:–—][ \t]*(?!\d))")


def number_in_name(name: str) -> int | None:
    """The chapter that a file's name (without its suffix) states, or None."""
    if found := _DIGITS_IN_NAME.search(name):
        return int(found[1])
    return _value(_TEXT_IN_NAME.search(name))


def number_in_heading(heading: str) -> int | None:
    """The chapter that a heading states with the word: "Chapter 3. Dawn", "CHAPTER IV"."""
    return _value(_HEADING.match(_plain(heading)))


def chapters_of_headings(headings: Sequence[tuple[int, str]], words: int) -> list[int | None]:
    """The chapter of each (level, heading) of one text of so many words; None where it has none.

    Numbers count only where they stand at one level and rise: a table of contents, or parts that
    begin anew at 1, leave everything without a number. Numbers without the word "chapter" count
    where they run from 1 without a gap through a text as long as a novel.
    """
    stated = [number_in_heading(text) for _, text in headings]
    if not any(number is not None for number in stated):
        stated = [_value(_BARE.match(_plain(text))) for _, text in headings]
        run = [number for number in stated if number is not None]
        novel = words >= NOVEL_WORDS and len(run) >= NOVEL_CHAPTERS
        if not novel or run != list(range(1, len(run) + 1)):
            return [None] * len(headings)
    run = [number for number in stated if number is not None]
    levels = {headings[i][0] for i, number in enumerate(stated) if number is not None}
    if len(levels) != 1 or any(a >= b for a, b in pairwise(run)):
        return [None] * len(headings)
    return stated


def _plain(heading: str) -> str:
    return re.sub(r"[*_]", "", heading).strip()


def _value(match: re.Match[str] | None) -> int | None:
    if match is None:
        return None
    groups = match.groupdict()
    if groups.get("digits"):
        return int(groups["digits"])
    if groups.get("words"):
        return sum(_WORDS[word] for word in re.split(r"[ _-]+", groups["words"].lower()))
    values = [_ROMAN_VALUES[letter] for letter in groups["roman"].upper()]
    return sum(-value if value < max(values[i:]) else value for i, value in enumerate(values))
