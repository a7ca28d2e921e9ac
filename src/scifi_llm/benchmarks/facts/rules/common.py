# ruff: noqa: E501  # a pattern is read as a whole
"""What the rules share: pieces of patterns, denial, and what is not said as true."""

from __future__ import annotations

import re

from .. import lexicon
from ..fact import Fact
from ..kinds import KIN

Finding = tuple[str, bool]


NOT = r"(?:\bnot\b|n['’]t\b|\bnever\b|\bno longer\b|\bneither\b|\bnor\b|\bhardly\b|\bwithout\b|\binstead of\b|\brather than\b|\banything but\b|\bfar from\b)"


BE = r"(?:is|are|was|were|'s|’s|be|been|being|looked|seemed|shone|gleamed|glowed|remained|stayed|turned out)"


NAMEY = r"(?-i:[A-ZÀ-Þ][\w’'-]*(?:(?: of| the)* [A-ZÀ-Þ][\w’'-]*)*)"


# Between `her` and `brown eyes`: whose eyes they are, if not hers.
OWNED = rf"\b(?:had|has|have|who|{KIN}|friend|lover|enemy|dog|cat)\b|§[oyp]"


GAP = r"(?:[\w'’-]+,? ){0,%d}?"


# Not said as true: supposed, dreamt, compared, asked, claimed, or of another time.
UNREAL = re.compile(
    r"\bif\b|\bas if\b|\bas though\b|\bwish(?:ed|es)?\b|\bdream(?:ed|t|s)?\b|\bimagin\w+|\bpretend\w*|"
    r"\bsuppos\w+|\bwould have\b|\bcould have\b|\bmight have\b|\bmight be\b|\bmust have been\b|\brumou?r\w*|\blie[ds]?\b|"
    r"\bmistak\w+|\bwrongly\b|\bmistook\b|\bsaid to be\b|\bpeople said\b|\bwonder\w*|\bwhether\b|\bdyed?\b|\bwig\b|"
    r"\bcontact lens\w*|\bpainted\b|\bdisguise\w*|\bno one could\b|\bperhaps\b|\bmaybe\b|\bcould be\b|\bused to\b|\bunless\b|\bas soon as\b|"
    r"\bassum\w+|\bfear(?:ed|s)?\b|\bproof\b|\bfelt sure\b|\bbeliev\w+ (?:that|him|her|them|§)|\bthreat\w*|\bwarn\w*|\bexpect\w*",
    re.IGNORECASE,
)


PAST = re.compile(
    r"\bhad (?:once )?been\b|\bused to\b|\bonce\b|\bformer(?:ly)?\b|\bex-|\bas a (?:boy|girl|child)\b|"
    r"\byears (?:ago|before|earlier)\b|\bwhen (?:§s|she|he|they) (?:was|were) (?:a |\d)|\bin (?:those|the old) days\b|"
    r"\bbefore (?:the|that|then|it)\b|\bremember(?:ed|s|ing)?\b|\bback then\b|\bwill be\b|\bnext year\b",
    re.IGNORECASE,
)


# §s, the sounder, has …
APPOSITION = re.compile(
    r"(§[sy]), (?:the|an?|his|her|our|their|who) [^,.;:!?§]{1,50}, (?=\w)", re.I
)


def unreal(text: str) -> bool:
    """Is the sentence a question, a wish, a comparison or hearsay?"""
    return bool(UNREAL.search(text)) or text.rstrip("\"”’' ").endswith("?")


def denied(text: str) -> bool:
    """Does a piece of text hold a negation?"""
    return bool(re.search(NOT, text, re.IGNORECASE))


def judge(fact: Fact, words: str, negated: bool) -> Finding | None:
    """Compare a word of the fact's family with its group."""
    group = lexicon.group_of(fact.family, words)
    if not group:
        return None
    right = lexicon.same(group, fact.group) or words.lower() in (s.lower() for s in fact.synonyms)
    if negated:
        return (f"not {words}", False) if right and group == fact.group else None
    return words, right


def shares(a: str, b: str) -> bool:
    """Do two names share a capitalised word?"""
    big = {w.strip("'’s") for w in re.findall(r"[A-ZÀ-Þ][\w’'-]*", a)}
    return bool(big & {w.strip("'’s") for w in re.findall(r"[A-ZÀ-Þ][\w’'-]*", b)})
