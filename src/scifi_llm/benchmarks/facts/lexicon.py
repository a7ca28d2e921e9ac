"""Which words mean the same, and which exclude each other. The words: families.py."""

from __future__ import annotations

import re

from .families import COMPATIBLE, FAMILIES


def members(family: str) -> dict[str, str]:
    """word -> group of a family."""
    return {word: group for group, words in FAMILIES[family].items() for word in words.split()}


def pattern(family: str) -> str:
    """A regular expression of all words of a family, plurals too; longest first."""
    words = sorted(members(family), key=len, reverse=True)
    return "(?:" + "|".join(re.escape(word).replace(r"\-", "[- ]") for word in words) + ")s?"


def group_of(family: str, word: str) -> str:
    """The group that a word of the family belongs to, or ""."""
    table = members(family)
    plain = word.lower().replace(" ", "-")
    for form in (word.lower(), plain, plain.removesuffix("s")):
        if form in table:
            return table[form]
    return ""


def family_of(text: str) -> tuple[str, str]:
    """(family, group) of the last word of a text that is in a family, or ("", "")."""
    for word in reversed(re.findall(r"[\w-]+", text.lower())):
        for family in FAMILIES:
            if group := group_of(family, word):
                return family, group
    return "", ""


def same(a: str, b: str) -> bool:
    """Do two groups go together?"""
    return a == b or any({a, b} <= pair for pair in COMPATIBLE)
