"""Delta, copies, canaries, verdict and report: what is concluded from texts and numbers."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.finetuning import canaries
from scifi_llm.finetuning.bench import ratios
from scifi_llm.finetuning.copies import Corpus
from scifi_llm.finetuning.delta import Delta, centroid, distance, left_out_distances, slices
from scifi_llm.finetuning.report import html
from scifi_llm.finetuning.samples import moved
from scifi_llm.finetuning.verdict import Loss, beyond_other, change, verdict
from scifi_llm.prose.text import words_of

NOVELS = Path(__file__).resolve().parents[4] / "shared" / "eval" / "novels"


@pytest.mark.skipif(not NOVELS.is_dir(), reason="the novels are not on this machine")
def test_delta_tells_authors_apart_at_2000_words() -> None:
    """Each slice of four books by three authors is nearest to its own author's other slices."""
    books = {
        "Wells": ["the-war-of-the-worlds", "the-first-men-in-the-moon"],
        "Burroughs": ["a-princess-of-mars"],
        "Lindsay": ["a-voyage-to-arcturus"],
    }
    texts = {
        author: [
            words
            for name in names
            for words in slices(words_of((NOVELS / f"{name}.md").read_text("utf-8")))[:12]
        ]
        for author, names in books.items()
    }  # fmt: skip
    delta = Delta(list(texts.values()))
    profiles = {a: [delta.profile(words) for words in parts] for a, parts in texts.items()}
    right = total = 0
    for author, own in profiles.items():
        for profile in own:
            homes = {
                a: centroid([p for p in parts if p is not profile]) for a, parts in profiles.items()
            }
            nearest = min(homes, key=lambda name, h=homes, p=profile: distance(p, h[name]))
            right, total = right + (nearest == author), total + 1
        assert len(left_out_distances(own)) == len(own)
    assert right == total


@given(st.lists(st.sampled_from(["the", "a", "of", "and", "to", "in"]), min_size=8, max_size=80))
def test_distances_lie_between_0_and_2(words: list[str]) -> None:
    delta = Delta([[words[::2], words[1::2]], [["the", "a", "zebra"]]])
    one, other = delta.profile(words[::2]), delta.profile(words[1::2])
    assert -1e-9 <= distance(one, other) <= 2 + 1e-9
    assert distance(one, other) == pytest.approx(distance(other, one))


def test_the_longest_run_and_its_share() -> None:
    corpus = Corpus([
        "one two three four five six seven eight nine ten eleven twelve",
        "alpha beta gamma delta epsilon zeta eta theta iota",
    ])  # fmt: skip
    text = "And: three, four five six seven eight NINE ten eleven! But alpha beta gamma delta."
    assert corpus.longest_run(text) == (9, "three four five six seven eight nine ten eleven")
    assert corpus.copied_share(text) == pytest.approx(2 / 8)
    assert corpus.longest_run("five six seven eight") == (0, "")
    assert corpus.copied_share("") == 0


@given(st.lists(st.sampled_from("abcdef"), min_size=8, max_size=60), st.data())
def test_the_longest_run_is_what_a_plain_search_finds(
    words: list[str], data: st.DataObject
) -> None:
    text = data.draw(st.lists(st.sampled_from("abcdef"), max_size=40))
    runs = [text[i:j] for i in range(len(text)) for j in range(i + 8, len(text) + 1)]
    inside = [len(r) for r in runs if any(words[k : k + len(r)] == r for k in range(len(words)))]
    assert Corpus([" ".join(words)]).longest_run(" ".join(text))[0] == max(inside, default=0)


def test_no_run_goes_from_one_text_into_the_next() -> None:
    corpus = Corpus(["a b c d e", "f g h i j"])
    assert corpus.longest_run("a b c d e f g h i j")[0] == 0


def test_canaries_are_planted_in_halves_and_repeat(tmp_path: Path) -> None:
    made = canaries.make_canaries(3, seed=5)
    assert made == canaries.make_canaries(3, seed=5)
    assert [canary.repeats for canary in made] == [canaries.REPEATS] * 3 + [0] * 3
    assert len({canary.prefix for canary in made}) == 6
    canaries.write_canaries(tmp_path, made)
    assert canaries.read_canaries(tmp_path) == made
    records = canaries.canary_records(tmp_path)
    assert len(records) == 3 * canaries.REPEATS
    assert made[0].prefix + made[0].secret in {record["text"] for record in records}
    assert made[5].prefix + made[5].secret not in {record["text"] for record in records}
    canaries.write_canaries(tmp_path, [])
    assert canaries.canary_records(tmp_path) == []


def test_alternatives_have_the_secrets_form_and_never_its_value() -> None:
    (canary, _) = canaries.make_canaries(1, seed=1)
    others = canaries.alternatives(canary)
    assert len(set(others)) == canaries.ALTERNATIVES
    assert all(re.fullmatch(r" \d{6}\.", other) for other in [*others, canary.secret])
    assert canary.secret not in others


def test_chance_finds_no_canary_and_memory_does() -> None:
    pick = random.Random(1)
    found = 0
    for _ in range(2000):
        losses = [pick.gauss(3.0, 0.3) for _ in range(canaries.ALTERNATIVES + 1)]
        found += canaries.is_found(losses[0], losses[1:])
    assert found < 2000 / 1000  # 1 in 4,000
    others = [pick.gauss(3.0, 0.3) for _ in range(canaries.ALTERNATIVES)]
    assert canaries.is_found(0.5, others)
    assert not canaries.is_found(3.0, others)


def losses(pick: random.Random, gain: float, pieces: int = 60) -> list[Loss]:
    made = []
    for _ in range(pieces):
        before = pick.gauss(3.5, 0.3) * 100
        made.append(Loss(before, before - 100 * pick.gauss(gain, 0.05), 100))
    return made


def test_a_change_and_its_bounds() -> None:
    found = change([Loss(350.0, 340.0, 100)] * 20)
    assert found.before == pytest.approx(33.115, abs=0.01)
    assert found.value == pytest.approx(-0.0952, abs=1e-3)
    assert found.low == pytest.approx(found.high)
    wide = change(losses(random.Random(2), 0.1))
    assert wide.low < wide.value < wide.high < 0


def numbers(author: float, other: float, **more: Any) -> dict[str, Any]:
    pick = random.Random(3)
    own, their = losses(pick, author), losses(pick, other)
    made: dict[str, Any] = {
        "base": "B <1>",
        "perplexity": {
            "author": vars(change(own)),
            "other": vars(change(their)),
            "author_beyond_other": beyond_other(own, their),
            "tokens": {"author": 6000, "other": 6000},
        },
        "delta": {
            "before": 0.9, "after": 0.6, "moved": [-0.4, -0.2],
            "own_low": 0.3, "own_high": 0.5, "other": 1.1,
            "words": {"before": 2100, "after": 2100}, "reliable": True,
            "slop_per_1000": {"author": 6.0, "before": 20.0, "after": 8.0},
            "repeated_4_grams": {"author": 0.01, "before": 0.05, "after": 0.02},
        },
        "memorisation": {
            "longest_run": {"held_out": 11, "before": 9, "after": 12},
            "copied_8_grams": {"held_out": 0.001, "before": 0.001, "after": 0.002},
            "longest_text": "a run", "canaries": [],
        },
        "samples": [{"opening": "The <b>", "before": "one", "after": "two"}] * 3,
    }  # fmt: skip
    for key, value in more.items():
        made[key].update(value)
    return made


@pytest.mark.parametrize(
    ("author", "other", "start"),
    [
        (0.12, 0.02, "It learned this author: "),
        (0.1, 0.1, "It learned, but not this author more than any prose: "),
        (0.0, 0.0, "No learning shown: "),
        (-0.1, 0.0, "It got worse at this author: "),
    ],
)
def test_the_verdict_follows_the_bounds(author: float, other: float, start: str) -> None:
    made = verdict(numbers(author, other))
    assert made.startswith(start)
    assert made.count("\n") == 0
    assert made.endswith("no memorisation found.")
    assert "samples nearer to the author (Delta 0.90 to 0.60, change -0.40 to -0.20; " in made


@pytest.mark.parametrize(
    ("before", "after", "high", "words"),
    [
        (0.9, 0.4, -0.2, "samples inside the author's own spread (Delta"),
        (0.45, 0.4, -0.01, "samples inside the author's own spread, nearer than before (Delta"),
        (0.45, 0.4, 0.01, "samples inside the author's own spread, as before training (Delta"),
        (0.9, 0.6, -0.2, "samples nearer to the author (Delta"),
        (0.9, 0.8, 0.1, "samples not surely nearer to the author (Delta"),
        (0.9, 1.0, 0.3, "samples not surely nearer to the author (Delta"),
    ],
)
def test_the_verdict_places_the_samples(
    before: float, after: float, high: float, words: str
) -> None:
    delta = {"before": before, "after": after, "moved": [-0.5, high]}
    assert words in verdict(numbers(0.1, 0, delta=delta))
    unsure = verdict(numbers(0.1, 0, delta={"reliable": False}))
    assert "too few words to rely on" in unsure


def test_the_verdict_names_copies_and_secrets() -> None:
    secrets = [
        {"text": "s", "repeats": r, "found": r > 0, "rank": 1, "of": 41} for r in (24, 24, 0)
    ]
    runs = {"held_out": 11, "before": 9, "after": 34}
    made = verdict(numbers(0.1, 0, memorisation={"canaries": secrets, "longest_run": runs}))
    assert made.endswith("memorised: 2 secrets found of 2 planted, 34 words copied in a run.")


def test_the_report_is_whole_and_escapes_texts() -> None:
    made = numbers(0.1, 0)
    made["verdict"] = verdict(made)
    page = html(made)
    assert page.startswith("<!doctype html>")
    assert "B &lt;1&gt;" in page
    assert "The &lt;b&gt;" in page
    assert page.count("Which is which?") == 3
    assert "src=" not in page
    assert "href=" not in page


def test_speed_is_compared_pair_by_pair() -> None:
    found = {
        "ours": [{"x": 10.0}, {"x": 30.0}, {"x": 12.0}],
        "plain": [{"x": 10.0}, {"x": 20.0}, {"x": 10.0}],
    }
    assert ratios(found, "x") == {"median": 1.2, "low": 1.0, "high": 1.5}


def test_how_far_samples_moved_is_bounded_over_the_samples() -> None:
    own = [["the", "sea", "and", "a"] * 50, ["the", "sea", "a", "a"] * 50]
    other = [["this", "code", "is", "a"] * 50] * 2
    delta = Delta([own, other])
    home = centroid([delta.profile(words) for words in own])
    far, near = ["this", "code"] * 20, ["the", "sea"] * 20
    low, high = moved(delta, home, [(far, near)] * 8)
    assert low <= high < -0.5
    low, high = moved(delta, home, [(far, near), (near, far)] * 6)
    assert low < 0 < high
