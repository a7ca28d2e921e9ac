"""Numbers that are written as words."""

from __future__ import annotations

import re

UNITS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
         "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
         "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19}  # fmt: skip


TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
        "eighty": 80, "ninety": 90}  # fmt: skip


ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
            "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13,
            "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17,
            "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
            "fortieth": 40, "fiftieth": 50, "sixtieth": 60}  # fmt: skip


_SMALL = "|".join(sorted(UNITS, key=len, reverse=True))


_TENS = "|".join(TENS)


_ORD = "|".join(sorted(ORDINALS, key=len, reverse=True))


_BELOW = rf"(?:(?:{_TENS})(?:[- ](?:{_SMALL}))?|{_SMALL})"


_NUMBER = re.compile(
    rf"\b(?:(?:(?P<th>{_BELOW}|an?) thousand)(?:,? and|,)? ?)?"
    rf"(?:(?P<h>{_BELOW}|an?) hundred(?: and)? ?)?(?P<r>{_BELOW})?\b(?![-']\w*s\b)",
    re.IGNORECASE,
)


_ORDINAL = re.compile(rf"\b(?:(?P<t>{_TENS})[- ])?(?P<o>{_ORD})\b", re.IGNORECASE)


_DOZEN = re.compile(r"\b(?:a|one) dozen\b|\b(two|three|four|half a) dozen\b", re.IGNORECASE)


def _below(text: str) -> int:
    parts = re.split(r"[- ]", text.lower())
    return sum(UNITS.get(p, TENS.get(p, 1 if p in ("a", "an") else 0)) for p in parts)


def _in_name(found: re.Match[str]) -> bool:
    """Is it part of a name: the Second Helping, First Treaty?"""
    after = found.string[found.end() :].lstrip()
    return found[0][0].isupper() and after[:1].isupper()


def digits(text: str) -> str:
    """The text with numbers as digits: "thirty-four" is 34, "a hundred and six" 106, "3,000" 3000.

    Ordinals become "5th"; a decade such as "thirties" stays.
    """

    def cardinal(found: re.Match[str]) -> str:
        if not any(found.group("th", "h", "r")) or _in_name(found):
            return found[0]
        value = 1000 * _below(found["th"] or "") + 100 * _below(found["h"] or "")
        tail = " " if found[0].endswith(" ") else ""
        return f"{value + _below(found['r'] or '')}{tail}"

    def dozen(found: re.Match[str]) -> str:
        return {"half a": "6", "two": "24", "three": "36", "four": "48"}.get(
            (found[1] or "").lower(), "12"
        )

    def ordinal(found: re.Match[str]) -> str:
        if _in_name(found):
            return found[0]
        return f"{TENS.get((found['t'] or '').lower(), 0) + ORDINALS[found['o'].lower()]}th"

    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    return _NUMBER.sub(cardinal, _ORDINAL.sub(ordinal, _DOZEN.sub(dozen, text)))
