"""Make calibration.json from a folder of human fiction: `python -m scifi_llm.prose.calibrate DIR…`.

Writes numbers only: ranges of every measure at several page lengths, and the PMI of word classes.
Pages are consecutive paragraphs of one book; a fixed seed chooses them. Takes about 3 minutes.
"""

from __future__ import annotations

import json
import math
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from ..console import Parser, log_ok, log_test, run_main
from ..errors import ToolkitError
from . import measures, score
from .text import Page, read_page, words_of

LENGTHS = (150, 300, 600, 1200, 2500, 5000)
PAGES_PER_BOOK = 40
SEED = 7
QUANTILES = (0.01, 0.5, 0.99)
WIDER = 0.25  # of the half range, on both sides: for authors that are not in the calibration
LAPLACE = 0.5
CLIP = 3.0  # bits


def books(folders: Sequence[str]) -> list[Page]:
    """Every .md and .txt of the folders. Raises ToolkitError where there is none."""
    files = [
        f
        for folder in folders
        for f in sorted(Path(folder).glob("*"))
        if f.suffix in (".md", ".txt")
    ]
    found = [
        read_page(f.read_text(encoding="utf-8", errors="replace"))
        for f in files
        if f.name != "README.md"
    ]
    if not found:
        raise ToolkitError("No .md or .txt file there.", "Name a folder of novels.")
    return found


def pages(book: Page, words: int, count: int, rng: random.Random) -> Iterator[Page]:
    """At most `count` pages of `words` to 1.6 times as many words, of whole paragraphs."""
    sizes = [len(words_of(paragraph)) for paragraph in book.paragraphs]
    for _ in range(count):
        start = rng.randrange(len(sizes))
        taken, total = [], 0
        while start < len(sizes) and total < words:
            taken.append(book.paragraphs[start])
            total += sizes[start]
            start += 1
        if words <= total <= 1.6 * words:
            yield Page(tuple(taken), 0)


def pmi_rows(found: Sequence[Page]) -> list[list[int]]:
    """Hundredths of bits for each pair of classes; every book has the same weight."""
    names = measures.NAMES
    joint: dict[tuple[str, str], float] = defaultdict(float)
    for book in found:
        own: dict[tuple[str, str], int] = Counter(pairwise(measures.class_sequence(book.prose)))
        total = sum(own.values())
        for pair, n in own.items():
            joint[pair] += n / total / len(found) * 1e6
    for a in names:
        for b in names:
            joint[a, b] += LAPLACE
    everything = sum(joint.values())
    left = {a: sum(joint[a, b] for b in names) for a in names}
    right = {b: sum(joint[a, b] for a in names) for b in names}

    def bits(a: str, b: str) -> int:
        value = math.log2(joint[a, b] * everything / (left[a] * right[b]))
        return round(100 * max(-CLIP, min(CLIP, value)))

    return [[bits(a, b) for b in names] for a in names]


def band(values: list[float]) -> list[float]:
    """Low, middle, high of the values, widened."""
    values = sorted(v for v in values if not math.isnan(v))
    low, middle, high = (values[min(len(values) - 1, int(q * len(values)))] for q in QUANTILES)
    edges = (low - WIDER * (middle - low), middle, high + WIDER * (high - middle))
    return [round(v, 4) for v in edges]


def interval(found: Sequence[Page], length: int) -> float:
    """95 % of the differences of `overall` between two pages of one book are smaller than this."""
    rng, differences = random.Random(SEED), []
    for book in found:
        scores = [score.parts(score.measure(page), len(page.words), score.DEFAULT_TONE)["overall"]
                  for page in pages(book, length, 12, rng)]  # fmt: skip
        differences += [abs(a - b) for a, b in pairwise(scores)]
    return round(sorted(differences)[int(0.95 * len(differences))], 1)


def main() -> int:
    """Entry of `python -m scifi_llm.prose.calibrate`."""
    parser = Parser(prog="calibrate", description="Make calibration.json from human fiction.")
    parser.add_argument("folders", nargs="+", metavar="DIR", help="folders of .md and .txt novels")
    options = parser.parse_args()
    found = books(options.folders)
    log_test(f"{len(found)} books, {sum(len(book.words) for book in found)} words")
    made: dict[str, object] = {"lengths": LENGTHS, "bands": {}, "pmi": pmi_rows(found)}
    score.CALIBRATION.write_text(json.dumps(made), encoding="utf-8")
    score.reload()
    rng = random.Random(SEED)
    bands: dict[str, list[list[float]]] = {}
    for length in LENGTHS:
        count = max(8, PAGES_PER_BOOK * 300 // max(300, length))
        rows = [score.measure(page) for book in found for page in pages(book, length, count, rng)]
        for name in rows[0]:
            values = [row[name] for row in rows]
            if not all(math.isnan(v) for v in values):
                bands.setdefault(name, []).append(band(values))
        log_ok(f"{len(rows)} pages of {length} words")
    for name, have in bands.items():  # a measure that short pages lack
        bands[name] = [have[0]] * (len(LENGTHS) - len(have)) + have
    made["bands"] = bands
    score.CALIBRATION.write_text(json.dumps(made), encoding="utf-8")
    score.reload()
    made["interval"] = [interval(found, length) for length in LENGTHS]
    lines = ",\n".join(f"{json.dumps(key)}: {_rows(value)}" for key, value in made.items())
    score.CALIBRATION.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
    log_ok(f"Written: {score.CALIBRATION}")
    return 0


def _rows(value: object) -> str:
    if isinstance(value, dict):
        return (
            "{\n"
            + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            + "\n}"
        )
    if isinstance(value, list):
        return "[\n" + ",\n".join(f"  {json.dumps(row)}" for row in value) + "\n]"
    return json.dumps(value)


if __name__ == "__main__":
    sys.exit(run_main(main))
