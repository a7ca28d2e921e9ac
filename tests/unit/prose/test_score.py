"""Scores of prose: human pages above everything that only looks like one, for every tone."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scifi_llm.prose import score as prose
from scifi_llm.prose.calibrate import pages
from scifi_llm.prose.text import Page, read_page

REPO = Path(__file__).resolve().parents[3]
NOVELS = REPO.parent / "shared" / "eval" / "novels"
SEPARATION = 30  # points between the worst human page and the best degenerate one
SEED = 5


def degenerate() -> Any:
    file = Path(__file__).with_name("degenerate.py")
    spec = importlib.util.spec_from_file_location("degenerate", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKERS = degenerate().MAKERS


def chapters() -> list[Page]:
    files = sorted((REPO / "examples" / "scifi_world" / "chapters").glob("*.md"))
    return [read_page(file.read_text("utf-8")) for file in files]


def overall(page: Page, tone: str = prose.DEFAULT_TONE) -> float:
    return prose.parts(prose.measure(page), len(page.words), tone)["overall"]


def every_tone(page: Page) -> list[float]:
    values = prose.measure(page)
    return [prose.parts(values, len(page.words), t)["overall"] for t in prose.TONES]


def human_pages() -> list[Page]:
    rng = random.Random(SEED)
    found = [page for book in chapters() for n in (300, 800) for page in pages(book, n, 1, rng)]
    for file in sorted(NOVELS.glob("*.md")) if NOVELS.is_dir() else []:
        if file.name != "README.md":
            book = read_page(file.read_text("utf-8"))
            found += [page for n in (300, 1000) for page in pages(book, n, 2, rng)]
    return found


HUMAN = human_pages()


def test_human_pages_score_above_every_degenerate_text_for_every_tone() -> None:
    rng = random.Random(SEED)
    lowest = min(min(every_tone(page)) for page in HUMAN)
    highest = {
        name: max(max(every_tone(read_page(make(page.prose, rng)))) for page in HUMAN[::3])
        for name, make in MAKERS.items()
    }
    print(f"{len(HUMAN)} human pages from {lowest:.1f}; {highest}")
    assert max(highest.values()) + SEPARATION < lowest


@pytest.mark.parametrize("tone", prose.TONES)
def test_whole_chapters_are_human_in_every_tone(tone: str) -> None:
    assert min(overall(page, tone) for page in chapters()) > 80


def structure(page: Page) -> float:
    return prose.parts(prose.measure(page), len(page.words), prose.DEFAULT_TONE)["structure"]


def test_shuffling_sentences_lowers_structure() -> None:
    rng = random.Random(SEED)
    for page in chapters():
        sentences = page.sentences[:]
        rng.shuffle(sentences)
        assert structure(Page((" ".join(sentences),), 0)) < structure(page) - 3


def test_a_repeated_paragraph_lowers_creativity() -> None:
    for page in chapters():
        for repeated in (page.paragraphs[3], max(page.paragraphs, key=len)):
            if len(repeated.split()) < 12:
                continue
            more = Page((*page.paragraphs, repeated), 0)
            tone = prose.DEFAULT_TONE
            before = prose.parts(prose.measure(page), len(page.words), tone)["creativity"]
            after = prose.parts(prose.measure(more), len(more.words), tone)["creativity"]
            assert after < before


def test_two_samples_of_one_author_differ_by_less_than_the_interval() -> None:
    scores = [overall(page) for page in chapters()]
    width = prose.interval(min(len(page.words) for page in chapters()))
    assert max(scores) - min(scores) < width


def test_a_score_has_its_parts_interval_and_diagnostics() -> None:
    found = prose.score(chapters()[0].prose, "gritty")
    assert list(found) == [
        "overall", "vocabulary", "structure", "creativity", "interval", "words", "diagnostics",
    ]  # fmt: skip
    assert tuple(found["diagnostics"]) == prose.DIAGNOSTICS
    for row in found["diagnostics"].values():
        assert row["human"][0] <= row["human"][1]
    mix = 0.25 * found["vocabulary"] + 0.25 * found["structure"] + 0.5 * found["creativity"]
    assert found["overall"] == pytest.approx(mix, abs=0.2)


@pytest.mark.parametrize("text", ["", "Only five words are here.", "# Title", "word " * 99])
def test_too_short_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="a score needs 100"):
        prose.score(text)


def test_line_width_and_kind_of_quotes_do_not_matter() -> None:
    text = chapters()[0].prose
    wrapped = "\n\n".join(_wrap(paragraph, 72) for paragraph in text.split("\n\n"))
    curly = text.replace('"', "“", 1)
    assert prose.score(wrapped)["overall"] == prose.score(text)["overall"]
    assert abs(prose.score(curly)["overall"] - prose.score(text)["overall"]) < 2


def _wrap(paragraph: str, width: int) -> str:
    import textwrap

    return textwrap.fill(paragraph, width, break_long_words=False, break_on_hyphens=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=100, max_size=140))
def test_any_text_gets_scores_from_0_to_100(words: list[str]) -> None:
    try:
        found = prose.score(" ".join(words))
    except ValueError:
        return
    assert all(0 <= found[p] <= 100 for p in ("overall", "vocabulary", "structure", "creativity"))


def test_a_band_lies_between_the_calibrated_lengths() -> None:
    short, middle, long = (prose.human_band("mattr", n) for n in (150, 212, 300))
    low, high = sorted((short.low, long.low))
    assert low <= middle.low <= high
    assert prose.human_band("mattr", 10) == short


def test_a_factor_is_near_1_inside_the_band_and_falls_outside() -> None:
    band = prose.Band(1.0, 2.0, 4.0)
    assert prose.factor(2.0, band) == 1.0
    assert prose.factor(4.0, band) == prose.factor(1.0, band) == 0.95
    assert prose.factor(5.0, band) < 0.7
    assert prose.factor(50.0, band) == prose.FLOOR
    assert prose.factor(0.0, band, one_sided=True) == 1.0
