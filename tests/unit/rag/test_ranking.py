"""Fusion, duplicates and neighbours, by value and by property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import Note
from scifi_llm.rag import ranking
from scifi_llm.rag.chunking import Chunk

NOTE = Note("a.md", "A")


def chunk(number: int, text: str, heading: tuple[str, ...] = (), note: Note = NOTE) -> Chunk:
    start = number * 100
    return Chunk(str(number), note, heading, text, start, start + 98)


def unit(rows: list[list[float]]) -> np.ndarray:
    matrix = np.array(rows, dtype=np.float32)
    return np.asarray(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))


def test_a_route_that_is_off_leaves_the_other_alone() -> None:
    dense, lexical = np.array([0.4, 0.1]), np.array([0.0, 0.9])
    assert ranking.Routes(dense, None, None).fused(0.6).tolist() == dense.tolist()
    assert ranking.Routes(None, lexical, None).fused(0.6).tolist() == lexical.tolist()
    named = np.array([1.0, 0.0])
    both = ranking.Routes(dense, lexical, None).fused(0.6)
    assert both.tolist() == pytest.approx([0.16, 0.58])
    more = ranking.Routes(dense, lexical, named).fused(0.6) - both
    assert more.tolist() == pytest.approx([ranking.NAMED, 0])


def test_words_count_the_more_the_more_of_them_one_passage_has() -> None:
    weights = [ranking.lexical_weight(share, False) for share in (0, 0.3, 0.45, 0.6, 1)]
    assert weights == pytest.approx([0.2, 0.2, 0.5, 0.8, 0.8])
    assert ranking.lexical_weight(0.1, True) == ranking.LEANING


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.data())
def test_the_best_rows_are_the_best_allowed_ones(values: list[float], data: st.DataObject) -> None:
    scores = np.array(values)
    allowed = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    )
    limit = data.draw(st.integers(1, 40))
    rows = ranking.best_rows(scores, allowed, limit)
    every = [row for row in range(len(values)) if allowed[row]]
    assert rows == sorted(every, key=lambda row: (-values[row], row))[:limit]


def test_what_says_the_same_is_kept_once() -> None:
    chunks = [
        chunk(0, "The war begins."),
        chunk(2, "The  war\nbegins."),
        chunk(4, "The war starts!!"),
        chunk(6, "The war begins. And much more of it than was told before, at length."),
    ]
    matrix = unit([[1, 0], [1, 0], [1, 0.01], [1, 0.001]])
    kept, same = ranking.without_duplicates([3, 0, 1, 2], matrix, chunks)
    assert kept == [3, 0]  # the long one says more, so both stay
    assert same == {1: 0, 2: 0}
    assert ranking.without_duplicates([], matrix, chunks) == ([], {})


def test_neighbours_of_one_section_are_joined_at_the_place_of_the_best() -> None:
    chunks = [chunk(n, f"text {n}") for n in range(6)]
    assert ranking.merged([4, 1, 2, 5], chunks) == [[4, 5], [1, 2]]
    assert ranking.merged([0, 1, 2, 3], chunks) == [[0, 1, 2], [3]]
    other = [
        chunk(0, "a"),
        chunk(1, "b", ("Other heading",)),
        chunk(2, "c", note=Note("b.md", "B")),
    ]
    assert ranking.merged([0, 1, 2], other) == [[0], [1], [2]]


@given(st.permutations(list(range(12))), st.integers(0, 12))
def test_joining_loses_nothing_and_doubles_nothing(rows: list[int], count: int) -> None:
    chunks = [chunk(n, f"text {n}", (f"part {n // 5}",)) for n in range(12)]
    runs = ranking.merged(rows[:count], chunks)
    assert sorted(row for run in runs for row in run) == sorted(rows[:count])
    for run in runs:
        assert run == list(range(run[0], run[0] + len(run)))
        assert len(run) <= ranking.LONGEST
        assert len({chunks[row].heading for row in run}) == 1
    places = [min(rows.index(row) for row in run) for run in runs]
    assert places == sorted(places)


def test_reasons_are_readable() -> None:
    routes = {"name": "Elena Ruhl", "bm25": 0.6123, "dense": 0.4}
    assert ranking.reason(routes) == "name Elena Ruhl, bm25 0.61, dense 0.40"
