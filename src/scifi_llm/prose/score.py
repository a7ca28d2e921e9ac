"""Scores of a page of fiction from 0 to 100, by its distance from the range of human pages.

More is not better: MATTR-500 of people is 0.51, of one strong model 0.67. Every measure is set
against the range that pages of the same length by many authors have (calibration.json, written by
calibrate.py from public-domain fiction of 1813 to 2008). Inside the range a factor is near 1;
outside it falls with the distance. A part is the product of its factors, so that one thing broken
cannot be made up for by the rest.

vocabulary  MATTR-100 (Covington & McFall 2010), share of function words (Mosteller & Wallace 1964),
            letters a word.
structure   syntax (PMI of neighbouring word classes, Church & Hanks 1990), length and spread of
            sentences (Yule 1939), marks and capitals, running prose against lists and tables,
            cohesion of neighbouring sentences (after Foltz, Kintsch & Landauer 1998), quotation
            marks in pairs, no copies.
creativity  originality times effectiveness, the standard definition (Runco & Jaeger 2012): phrases,
            sentence patterns and openings not repeated, nothing copied, few words and turns that
            models overuse, in prose that can be read at all, near the tone that was asked for.
overall     25 % vocabulary + 25 % structure + 50 % creativity.

No source validates any of these as literary quality: they tell fiction from what only
looks like it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from . import measures
from .cohesion import cohesion
from .measures import NAMES
from .slop import not_but_per_1000, slop_per_1000
from .text import Page, read_page, words_of

CALIBRATION = Path(__file__).with_name("calibration.json")
MIN_WORDS = 100
WINDOW = 300  # words: repetition is compared in windows of equal length
FLOOR = 0.02  # of a factor
FLOORS = {"slop": 0.15, "not_but": 0.4}  # habits, not failures
COPY_WEIGHT = 5.0
TORN_WEIGHT = 6.0
ORDER_SHARE = 0.3  # of structure
WEIGHTS = {"vocabulary": 0.25, "structure": 0.25, "creativity": 0.50}
# Mean words a sentence and letters a word that a tone aims at. Wide: a tone shifts, never decides.
TONES: dict[str, tuple[float, float]] = {
    "creative": (16.0, 4.25),
    "technical": (19.0, 4.5),
    "dramatic": (14.0, 4.2),
    "poetic": (19.0, 4.25),
    "gritty": (12.0, 4.1),
}
DEFAULT_TONE = "technical"
TONE_SHARE = 0.1  # of creativity
ONE_SIDED = {"repeat", "pattern", "slop", "not_but"}  # less than people have costs nothing
FACTORS = {
    "vocabulary": ("mattr", "function_words", "letters"),
    "structure": ("syntax", "sentence_words", "sentence_spread", "marks", "capitals"),
    "creativity": ("repeat", "pattern", "openers", "slop", "not_but"),
}
EFFECTIVE = ("function_words", "syntax", "sentence_words", "marks", "capitals")
DIAGNOSTICS = ("slop", "not_but", "repeat", "dialogue", "sentence_spread", "mtld", "mattr_500")


SHARES = ("repeat", "dialogue", "mattr_500")


@dataclass(frozen=True)
class Band:
    """Human range of a measure: low, middle and high."""

    low: float
    middle: float
    high: float


def measure(page: Page) -> dict[str, float]:
    """All measures of a page by name; `nan` where the page is too short for one."""
    words, sentences = page.words, page.sentences
    lengths = [len(words_of(sentence)) for sentence in sentences]
    classes = measures.class_sequence(page.prose)
    letters = [ch for ch in page.prose if ch.isalpha()]
    count = max(1, len(words))
    order = cohesion(sentences)
    return {
        "mattr": measures.mattr(words, 100),
        "function_words": sum(w in measures.FUNCTION_WORDS for w in words) / count,
        "letters": sum(map(len, words)) / count,
        "syntax": measures.syntax(classes, pmi()),
        "sentence_words": math.log(count / max(1, len(lengths))),
        "sentence_spread": measures.spread(lengths),
        "marks": sum(c in ("COMMA", "SEMI", "STOP") for c in classes) / count,
        "capitals": sum(ch.isupper() for ch in letters) / max(1, len(letters)),
        "cohesion": math.nan if order is None else order,
        "repeat": measures.repeated_in_windows(words, 3, WINDOW),
        "pattern": measures.repeated_in_windows(measures.skeleton(page.prose), 6, WINDOW),
        "openers": measures.opener_variety(sentences),
        "slop": slop_per_1000(page.prose),
        "not_but": not_but_per_1000(page.prose),
        "copy": measures.repeated(measures.masked_words(page.prose), 10),
        "prose": len(words) / max(1, len(words) + page.other),
        "orphans": measures.orphan_quotes(page.prose),
        "dialogue": measures.dialogue_share(page),
        "mtld": measures.mtld(words),
        "mattr_500": measures.mattr(words, 500) if len(words) >= 500 else math.nan,
    }


@cache
def _calibration() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(CALIBRATION.read_text(encoding="utf-8"))
    return loaded


def reload() -> None:
    """Forget what was read of calibration.json: it was written anew."""
    _calibration.cache_clear()
    pmi.cache_clear()


@cache
def pmi() -> dict[tuple[str, str], float]:
    """Pointwise mutual information of neighbouring classes in human pages, bits."""
    rows = _calibration()["pmi"]
    return dict(zip(product(NAMES, NAMES), (v / 100 for row in rows for v in row), strict=True))


def human_band(name: str, words: int) -> Band:
    """The human range of a measure for pages of so many words, between the calibrated lengths.

    Shorter pages vary more and have the wider range.
    """
    lengths: list[int] = _calibration()["lengths"]
    rows: list[list[float]] = _calibration()["bands"][name]
    at = min(max(words, lengths[0]), lengths[-1])
    i = max(k for k, length in enumerate(lengths) if length <= at)
    j = min(i + 1, len(lengths) - 1)
    share = math.log(at / lengths[i]) / math.log(lengths[j] / lengths[i]) if j > i else 0.0
    low, middle, high = (a + share * (b - a) for a, b in zip(rows[i], rows[j], strict=True))
    return Band(low, middle, high)


def factor(value: float, band: Band, one_sided: bool = False, floor: float = FLOOR) -> float:
    """1 at the middle, 0.95 at the edge of the range, falling to `floor` beyond it.

    Half the range's width beyond its edge leaves a fifth. With `one_sided` a value below the
    middle costs nothing. `nan` counts as 1.
    """
    if math.isnan(value) or (one_sided and value <= band.middle):
        return 1.0
    edge = band.high if value > band.middle else band.low
    half = max(abs(edge - band.middle), 1e-6)
    away = abs(value - band.middle) / half
    if away <= 1:
        return 1 - 0.05 * away**2
    return max(floor, 0.95 * math.exp(-1.5 * (away - 1) ** 2))


def order_factor(cohesion_z: float, words: int) -> float:
    """1 where sentences follow from each other as in the middle human page of that length, else
    down to 1 - ORDER_SHARE; rising all the way, so that any loss of order shows."""
    if math.isnan(cohesion_z):
        return 1.0
    share = cohesion_z / human_band("cohesion", words).middle
    return 1 - ORDER_SHARE + ORDER_SHARE / (1 + math.exp(-4.4 * (share - 0.5)))


def tone_fit(values: Mapping[str, float], tone: str) -> float:
    """Nearness to a tone's sentence and word length, 0 to 1."""
    sentence, letters = TONES[tone]
    far = (values["sentence_words"] - math.log(sentence)) / 0.8
    return math.exp(-0.5 * (far**2 + ((values["letters"] - letters) / 0.6) ** 2))


def parts(values: Mapping[str, float], words: int, tone: str) -> dict[str, float]:
    """overall, vocabulary, structure and creativity, 0 to 100, of a page's measures."""
    marks = {
        name: factor(
            values[name], human_band(name, words), name in ONE_SIDED, FLOORS.get(name, FLOOR)
        )
        for names in FACTORS.values()
        for name in names
    }
    own = math.exp(-COPY_WEIGHT * values["copy"])
    torn = 0.0 if math.isnan(values["orphans"]) else values["orphans"]
    own *= math.exp(-TORN_WEIGHT * torn)
    prose = max(FLOOR, (values["prose"] - 0.3) / 0.7) if values["prose"] < 1 else 1.0
    made = {part: math.prod(marks[n] for n in names) for part, names in FACTORS.items()}
    readable = prose * math.prod(marks[name] for name in EFFECTIVE)
    fit = 1 - TONE_SHARE + TONE_SHARE * tone_fit(values, tone)
    made["structure"] *= order_factor(values["cohesion"], words)
    result = {
        "vocabulary": 100 * made["vocabulary"] * prose,
        "structure": 100 * made["structure"] * prose * own,
        "creativity": 100 * made["creativity"] * own * readable * fit,
    }
    overall = sum(WEIGHTS[part] * value for part, value in result.items())
    return {"overall": overall, **result}


def interval(words: int) -> float:
    """Two pages of one author differ by less than this in `overall`, 95 times of 100."""
    lengths, widths = _calibration()["lengths"], _calibration()["interval"]
    return float(
        next(
            (w for n, w in reversed(list(zip(lengths, widths, strict=True))) if n <= words),
            widths[0],
        )
    )


def diagnostics(values: Mapping[str, float], words: int) -> dict[str, dict[str, Any]]:
    """Each of DIAGNOSTICS with the human range at that length and whether it lies inside."""
    found = {}
    for name in DIAGNOSTICS:
        band, value = human_band(name, words), values[name]
        known, top = not math.isnan(value), 1.0 if name in SHARES else math.inf
        found[name] = {
            "value": round(value, 4) if known else None,
            "human": [round(max(0.0, band.low), 4), round(min(band.high, top), 4)],
            "inside": band.low <= value <= band.high if known else None,
        }
    return found


def score(text: str, tone: str = DEFAULT_TONE, prompt: str = "") -> dict[str, Any]:
    """overall, vocabulary, structure, creativity (0 to 100, one decimal), interval, words and
    diagnostics of a text; what it copies from its `prompt` counts as a copy.

    Raises ValueError below MIN_WORDS words.
    """
    page = read_page(text)
    words = len(page.words)
    if words + page.other < MIN_WORDS:
        raise ValueError(f"{words + page.other} words; a score needs {MIN_WORDS}")
    values = measure(page)
    asked = words_of(prompt)
    values["copy"] = max(values["copy"], measures.taken_from(page.words, asked, 8))
    made = {name: round(value, 1) for name, value in parts(values, words, tone).items()}
    return {
        **made,
        "interval": interval(words),
        "words": words,
        "diagnostics": diagnostics(values, words),
    }
