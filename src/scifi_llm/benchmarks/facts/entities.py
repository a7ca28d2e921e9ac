"""What mentions are made of: names, pronouns, sentences with their places, quotation marks."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...prose.text import WORD, clean, split_sentences
from . import lexicon

TITLES = (
    r"(?:mr|mrs|ms|miss|dr|doctor|sir|lady|lord|captain|lieutenant|commander|sergeant|corporal|"
    r"private|ensign|major|colonel|general|admiral|commodore|professor|sister|brother|father|"
    r"mother|uncle|aunt|inspector|chief|engineer|pilot|officer|cadet|king|queen|prince|princess)\.?"
)


FEMALE_TITLE = re.compile(r"\b(?:mrs|ms|miss|lady|sister|mother|aunt|queen|princess)\.? $", re.I)


MALE_TITLE = re.compile(r"\b(?:mr|sir|lord|father|uncle|king|prince|brother)\.? $", re.I)


SAYING = (
    r"(?:said|says|asked|told|replied|answered|whispered|murmured|muttered|shouted|called|cried|"
    r"added|admitted|explained|agreed|snapped|began|continued|went on|insisted|repeated|laughed|"
    r"sighed|announced|declared|observed|remarked|confessed|recalled)"
)


ACTING = (
    rf"(?:{SAYING}|nodded|smiled|shrugged|looked|turned|stood|sat|walked|thought|knew|felt|wanted|"
    r"grinned|frowned|took|gave|put|held|leaned|stared|watched|waited|ran|stepped|reached|shook|"
    r"raised|wiped|rubbed|blinked|wondered|remembered|woke|listened|pulled|pushed|opened|closed)"
)


PRONOUNS = {
    "he": "m", "him": "m", "his": "m", "himself": "m",
    "she": "f", "her": "f", "hers": "f", "herself": "f",
    "it": "n", "its": "n", "itself": "n",
}  # fmt: skip


FEMALE_END = re.compile(r"(?:a|ia|elle|ine|ette|lyn|beth|een|ella)$", re.I)


RANKED = re.compile(rf"\b{lexicon.pattern('rank')} $", re.I)


LONGEST = 1500  # characters of a sentence
SCENE = re.compile(r"^\s*(?:[-*_#~•] ?){3,}\s*$|^#{1,6} ", re.MULTILINE)


STOP = (
    "I The A An And But Or So Then Now There Here He She It They We You His Her Its Their "
    "Our My Your This That These Those When While If As At In On Of For From To By With Not "
    "No Yes What Who Why How Where Which Mr Mrs Ms Dr Sir Miss God Chapter One Two Three "
    "Day Earth Moon Sun Monday Tuesday Wednesday Thursday Friday Saturday Sunday January "
    "February March April May June July August September October November December "
)
STOP_NAMES = frozenset(STOP.split())


CAPITAL = re.compile(r"[A-ZÀ-Þ][\w’'-]*\w")


NOT_OWNED = re.compile(
    r" (?:to|that|and|with|in|on|at|from|of|the|a|an|as|for|by|up|down|into|if|when|how|what|who|"
    r"was|is|had|not|but|or|so|then|there|about|out|off|over|back|away|again|because|through)\b"
)


@dataclass(frozen=True)
class Span:
    """A mention: where it stands in the sentence, whose, and its part."""

    start: int
    end: int
    entity: str  # key of the entity, "" where it is open
    possessive: bool
    pronoun: bool
    quoted: bool


@dataclass
class Sentence:
    """A sentence with its place: number of words before it, scene, paragraph."""

    text: str
    words_before: int
    scene: int
    paragraph: int
    spans: list[Span] = field(default_factory=list)


@dataclass
class Entity:
    """Somebody or something that the story names. `gender` m, f, n or "" where unknown."""

    key: str
    names: list[str]
    gender: str = ""
    person: bool = False
    subject: bool = False


def sentences_of(story: str) -> list[Sentence]:
    """The sentences of a story with their places."""
    found, words, scene = [], 0, 0
    for number, block in enumerate(re.split(r"\n\s*\n", clean(story))):
        if SCENE.search(block):
            scene += 1
            block = SCENE.sub("", block)
        for text in _pieces(split_sentences(" ".join(block.split()))):
            found.append(Sentence(text, words, scene, number))
            words += len(WORD.findall(text))
    return found


def _pieces(sentences: Iterable[str]) -> Iterable[str]:
    """Sentences, those that never end in pieces: the rules take the square of their length."""
    for sentence in sentences:
        yield from textwrap.wrap(sentence, LONGEST) if len(sentence) > LONGEST else (sentence,)


def quoted(text: str, at: int, state: str = "") -> bool:
    """Does a place of a sentence stand between quotation marks?"""
    before = state + text[:at]
    if "“" in before or "”" in before:
        return before.count("“") > before.count("”")
    return before.count('"') % 2 == 1


def name_forms(names: Iterable[str]) -> list[str]:
    """Names without title and article, longest first; single first and last names of persons."""
    forms: list[str] = []
    for name in names:
        plain = re.sub(rf"^(?:{TITLES}\s+)+(?=\S)", "", name.strip(), flags=re.IGNORECASE) or name
        plain = re.sub(r"^(?:the|a|an|her|his|my|our|their)\s+", "", plain, flags=re.IGNORECASE)
        forms.append(plain)
        words = plain.split()
        if (
            len(words) in (2, 3)
            and all(w[0].isupper() for w in words)
            and not re.match("the ", name, re.I)
        ):
            forms += [words[0], words[-1]]
    return sorted(dict.fromkeys(f for f in forms if len(f) > 1 or f == "I"), key=len, reverse=True)
