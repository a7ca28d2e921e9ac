"""Measures by worked examples, and their bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.rag import measures

RANKING = ["a", "b", "c", "d"]
RELEVANCE = {"b": 2.0, "d": 1.0, "x": 1.0}


def test_a_worked_example() -> None:
    gain = 2 / math.log2(3) + 1 / math.log2(5)
    ideal = 2 + 1 / math.log2(3) + 1 / 2
    assert measures.ndcg(RANKING, RELEVANCE, 10) == pytest.approx(gain / ideal)
    assert measures.recall(RANKING, RELEVANCE, 3) == pytest.approx(1 / 3)
    assert measures.hit(RANKING, RELEVANCE, 1) == 0
    assert measures.hit(RANKING, RELEVANCE, 2) == 1
    assert measures.reciprocal_rank(RANKING, RELEVANCE, 10) == 0.5
    assert measures.reciprocal_rank(RANKING, {"x": 1.0}, 10) == 0


@given(
    st.permutations(list("abcdef")), st.dictionaries(st.sampled_from("abcxy"), st.floats(0.1, 3))
)
def test_measures_lie_between_0_and_1_and_the_best_order_has_1(
    ranking: list[str], relevance: dict[str, float]
) -> None:
    for measure in (measures.ndcg, measures.recall, measures.hit, measures.reciprocal_rank):
        assert 0 <= measure(ranking, relevance, 10) <= 1 + 1e-9
    best = sorted(relevance, key=lambda id_: -relevance[id_])
    assert measures.ndcg(best, relevance, 10) == pytest.approx(1.0 if relevance else 0.0)


def test_the_interval_holds_the_mean_and_is_the_same_each_time() -> None:
    values = [0.0, 1.0] * 50
    low, high = measures.interval(values)
    assert 0.38 <= low < 0.5 < high <= 0.62
    assert measures.interval(values) == (low, high)
    assert measures.interval([1.0] * 9) == (1.0, 1.0)
    assert measures.interval([]) == (0.0, 0.0)
