"""Does each sentence follow from the one before it? Compared with other sentences of the same page.

The page is its own control: a pair of neighbours is set against pairs of the same page that are not
neighbours, so that subject, style and length cancel out and only the order is left.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .measures import FUNCTION_WORDS
from .text import WORD, word_set

LEAST = 6  # sentences
WINDOW = 40  # sentences that are compared with each other
LAGS = {1: 1.0, 2: 0.5}  # the sentence before the last one counts half
PERSONS = (
    "i me my we us our myself",
    "you your",
    "he him his himself",
    "she her herself hers",
    "it its itself",
    "they them their",
)
PERSON = {word: i for i, words in enumerate(PERSONS) for word in words.split()}
PAST = word_set("was were had did could would said came went saw")
PRESENT = word_set("is are am has have do does can will")
# Logistic regression on neighbours against other pairs of calibration pages.
WEIGHTS = {
    "words": 2.8,
    "names": -0.25,
    "person": 0.9,
    "name_pronoun": 0.0,
    "quote_open": 0.6,
    "talk": 0.3,
    "answer": 1.3,
    "tense": 0.25,
    "length": 0.15,
}


@dataclass(frozen=True)
class Traits:
    """What of a sentence its neighbours may share."""

    stems: frozenset[str]
    names: frozenset[str]
    persons: frozenset[int]
    opens: int  # +1: a quotation goes on behind it; -1: it ends one that began before it; 0
    talk: bool
    question: bool
    tense: int  # +1 past, -1 present, 0 neither
    length: float  # log of its words


def traits(sentence: str) -> Traits:
    """The traits of one sentence."""
    raw = [word.replace("’", "'") for word in WORD.findall(sentence)]
    words = [word.lower() for word in raw]
    names = {
        w.removesuffix("'s")
        for w, r in zip(words, raw, strict=True)
        if r[0].isupper() and w not in FUNCTION_WORDS
    }
    stems = {_stem(w) for w in words if w not in FUNCTION_WORDS and len(w) > 3}
    past = sum(w in PAST or (w.endswith("ed") and len(w) > 4) for w in words)
    present = sum(w in PRESENT for w in words)
    opens = _opens(sentence)
    return Traits(
        frozenset(stems),
        frozenset(names if len(words) > 1 else ()),
        frozenset(PERSON[w] for w in words if w in PERSON),
        opens,
        bool(opens) or any(mark in sentence for mark in '"“”'),
        "?" in sentence,
        (past > present) - (present > past),
        math.log(max(1, len(words))),
    )


def _stem(word: str) -> str:
    return re.sub(r"(?:ing|ed|ly|es|s|'s)$", "", word)[:6]


def _opens(sentence: str) -> int:
    curly = sentence.count("“") - sentence.count("”")
    if curly:
        return 1 if curly > 0 else -1
    if sentence.count('"') % 2:
        return 1 if sentence.lstrip("([ —-").startswith('"') else -1
    return 0


def features(a: Traits, b: Traits) -> tuple[float, ...]:
    """What speaks for b following a, in the order of WEIGHTS."""
    shared = len(a.stems & b.stems) / math.sqrt(max(1, len(a.stems)) * max(1, len(b.stems)))
    third = {2, 3, 5}
    return (
        shared,
        float(bool(a.names & b.names)),
        len(a.persons & b.persons) / max(1, len(a.persons | b.persons)),
        float(bool(a.names) and not b.names and bool(b.persons & third)),
        float(a.opens > 0 and b.opens <= 0)
        - float(a.opens > 0 and b.opens > 0)
        - float(b.opens < 0 and a.opens <= 0),
        float(a.talk == b.talk),
        float(a.question and b.talk and a.talk),
        float(a.tense == b.tense and a.tense != 0) - float(a.tense * b.tense < 0),
        -abs(a.length - b.length),
    )


def score_pair(a: Traits, b: Traits) -> float:
    """Weighted sum of the features."""
    return sum(w * f for w, f in zip(WEIGHTS.values(), features(a, b), strict=True))


def cohesion(sentences: Sequence[str]) -> float | None:
    """How much better neighbours fit than pairs in random order, in standard errors (a z value).

    About 0 for sentences in random order, growing with the root of their number for a text in its
    own order. Sentences are compared within windows of WINDOW, so that the time grows with their
    number alone. None for fewer than 6 sentences.
    """
    marks = [traits(sentence) for sentence in sentences]
    if len(marks) < LEAST:
        return None
    found = variance = 0.0
    for start in range(0, max(1, len(marks) - LEAST), WINDOW):
        gain, noise = _gain(marks[start : start + WINDOW])
        found, variance = found + gain, variance + noise
    return found / math.sqrt(variance) if variance > 0 else 0.0


def _gain(marks: Sequence[Traits]) -> tuple[float, float]:
    """Sum of the neighbours' fits beyond what both sentences have with all others, its variance.

    Rows and columns are centred; a random order then has mean 0 and this variance.
    """
    n = len(marks)
    fits = [[score_pair(a, b) for b in marks] for a in marks]
    rows = [(sum(fits[i]) - fits[i][i]) / (n - 1) for i in range(n)]
    columns = [sum(fits[j][i] for j in range(n) if j != i) / (n - 1) for i in range(n)]
    mean = sum(rows) / n

    def rest(i: int, j: int) -> float:
        return fits[i][j] - rows[i] - columns[j] + mean

    square = sum(rest(i, j) ** 2 for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    gain = sum(weight * rest(i, i + lag) for lag, weight in LAGS.items() for i in range(n - lag))
    return gain, square * sum(weight**2 * (n - lag) for lag, weight in LAGS.items())
