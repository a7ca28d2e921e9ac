"""What a search answers: budgets are kept by whole passages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import Note
from scifi_llm.rag.chunking import Chunk
from scifi_llm.rag.passages import Passage, fit_budget
from scifi_llm.rag.tokens import estimate


@given(st.lists(st.integers(1, 400), max_size=12), st.integers(0, 600))
def test_the_budget_is_kept_by_whole_passages_in_order(sizes: list[int], budget: int) -> None:
    passages = [
        Passage("novel", (Chunk(str(i), Note("a.md", "A"), (), "x" * size, 0, size),), 1.0, "")
        for i, size in enumerate(sizes)
    ]
    taken, dropped = fit_budget(passages, budget, estimate)
    assert {id(p) for p in passages} == {id(p) for p in [*taken, *(d.passage for d in dropped)]}
    costs = [estimate(passage.told) for passage in taken]
    assert sum(costs) <= budget
    assert [p for p in passages if p in taken] == taken
    for passage in passages:
        if passage not in taken:
            before = sum(estimate(p.told) for p in taken
                         if passages.index(p) < passages.index(passage))  # fmt: skip
            assert before + estimate(passage.told) > budget
