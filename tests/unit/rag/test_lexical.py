"""BM25: words as authors type them, bounded scores, an index that survives the disk."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.rag.lexical import K1, B, Lexical, fold, pairs, query_weights, terms, words

TEXTS = [
    "The oak table stands in the mess.",
    "The table of tides, the tide table.",
    "Elena's boots were on the table!",
    "",
]


@pytest.mark.parametrize(
    ("written", "typed"),
    [("Þorvaldur", "thorvaldur"), ("Ågren", "AGREN"), ("Brânză", "branza"), ("Łódź", "lodz")],
)
def test_names_are_found_without_their_diacritics(written: str, typed: str) -> None:
    assert fold(written) == fold(typed)
    assert words(f"{written}’s ship") == [*words(typed), "ship"]


def test_terms_are_stems_in_order() -> None:
    assert terms("The Sounders repaired Elena's sounder.") == [
        "the", "sounder", "repair", "elena", "sounder",
    ]  # fmt: skip
    assert pairs("Dark towers fall") == ["dark tower", "tower fall"]


def test_scores_are_lucenes_bm25_over_its_bound() -> None:
    index = Lexical.build(TEXTS)
    lengths = [7, 7, 6, 0]
    count = [1, 2, 1, 0]
    idf = math.log(1 + (4 - 3 + 0.5) / (3 + 0.5))
    mean = sum(lengths) / 4
    expected = [
        tf / (tf + K1 * (1 - B + B * length / mean))
        for tf, length in zip(count, lengths, strict=True)
    ]
    assert index.idf("tabl") == pytest.approx(idf)
    assert index.scores({"tabl": 1.0}).tolist() == pytest.approx(expected, abs=1e-6)
    # A word that no document has neither helps nor hurts.
    assert index.scores({"tabl": 1.0, "zeppelin": 1.0}).tolist() == pytest.approx(
        expected, abs=1e-6
    )


def test_words_side_by_side_count_more_than_words_apart() -> None:
    index = Lexical.build(["a tide table here", "a table tide here", "nothing of it"])
    plain = index.scores(query_weights([("tide table", 1.0)]))
    asked = query_weights([("tide table", 1.0)], pairs)
    together = index.scores(query_weights([("tide table", 1.0)]), asked)
    assert plain[0] == pytest.approx(plain[1], abs=1e-6)
    assert together[0] > together[1] == pytest.approx(plain[1], abs=1e-6)


@given(
    st.lists(st.text("abc de", max_size=30), max_size=8),
    st.dictionaries(st.sampled_from(["a", "b", "ab", "abc", "zz"]), st.floats(0.01, 5), max_size=4),
)
def test_a_score_is_a_share(texts: list[str], weights: dict[str, float]) -> None:
    index = Lexical.build(texts)
    scores = index.scores(weights)
    assert scores.shape == (len(texts),)
    assert all(0 <= score < 1 + 1e-6 for score in scores.tolist())
    for text, score in zip(texts, scores.tolist(), strict=True):
        assert (score > 0) == bool(set(terms(text)) & weights.keys())


def test_an_index_comes_back_from_the_disk_as_it_was(tmp_path: Path) -> None:
    index = Lexical.build([*TEXTS, "lone \ud800 surrogate"])
    index.save(tmp_path / "bm25")
    index.save(tmp_path / "bm25")  # a second reader that was as slow
    again = Lexical.load(tmp_path / "bm25", 5)
    assert again is not None
    asked = query_weights([("the tide table", 1.0)])
    phrases = query_weights([("the tide table", 1.0)], pairs)
    assert again.scores(asked, phrases).tolist() == index.scores(asked, phrases).tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["bm25"]


@pytest.mark.parametrize("damage", ["missing", "other", "cut", "text"])
def test_a_damaged_index_is_none(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "bm25"
    Lexical.build(TEXTS).save(folder)
    if damage == "missing":
        (folder / "pairs.npz").unlink()
    elif damage == "cut":
        file = folder / "words.npz"
        file.write_bytes(file.read_bytes()[:100])
    elif damage == "text":
        (folder / "vocabulary.json").write_text("[", "utf-8")
    assert Lexical.load(folder, 3 if damage == "other" else 4) is None
