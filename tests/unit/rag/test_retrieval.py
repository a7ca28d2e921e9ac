"""Search on a real collection: order, canon rules, budget, new versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import Note
from scifi_llm.errors import ToolkitError
from scifi_llm.rag.canon import visible
from scifi_llm.rag.chunking import Chunk
from scifi_llm.rag.retrieval import Passage, Retriever, SearchRequest, estimate_tokens, fit_budget


@pytest.fixture
def retriever(collection: Path) -> Retriever:
    return Retriever(collection, "novel")


def paths(passages: list[Passage]) -> list[str]:
    return [passage.chunk.note.path for passage in passages]


def test_the_best_passage_comes_first(retriever: Retriever) -> None:
    found = retriever.search(SearchRequest("Who repairs the sounders?", top_k=3))
    assert paths(found)[0] == "characters/elena.md"
    assert len(found) == 3
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert found[0].result() == {
        "path": "characters/elena.md",
        "heading": "Elena Ruhl",
        "score": round(found[0].score, 4),
        "why": f"dense {found[0].score:.2f}",
        "text": "Elena Ruhl is patient and exact; she repairs sounders.",
    }


@pytest.mark.parametrize("as_of", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("pov", [None, "Elena Ruhl", "Nobody"])
def test_nothing_hidden_is_found_whatever_is_asked(
    retriever: Retriever, as_of: int | None, pov: str | None
) -> None:
    for query in ("The war and the ford", "Who sells maps?", "What happened at noon?"):
        found = retriever.search(SearchRequest(query, as_of=as_of, pov=pov, top_k=20))
        assert all(visible(passage.chunk.note, as_of, pov) for passage in found)
        shown = [c for c in retriever.collection().chunks.values() if visible(c.note, as_of, pov)]
        assert len(found) == len(shown)  # everything that may be shown is ranked


def test_an_empty_question_finds_nothing(retriever: Retriever) -> None:
    assert retriever.search(SearchRequest("  ")) == []


def test_a_new_version_is_searched_without_a_restart(
    retriever: Retriever,
    notes: dict[str, str],
    ingest: Callable[..., None],
    build: Callable[..., bool],
) -> None:
    assert "x.md" not in paths(retriever.search(SearchRequest("The lighthouse keeper", top_k=20)))
    ingest({**notes, "x.md": "# Keeper\n\nThe lighthouse keeper counts ships."})
    build()
    assert paths(retriever.search(SearchRequest("The lighthouse keeper")))[0] == "x.md"


def test_a_collection_of_another_dimension_names_rebuild(
    retriever: Retriever, collection: Path
) -> None:
    file = collection / "novel" / "current.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "dimension": 768}))
    with pytest.raises(ToolkitError, match="has 768 dimensions, its model 384") as caught:
        retriever.search(SearchRequest("Elena"))
    assert "--rebuild" in caught.value.fix


@given(st.lists(st.integers(1, 400), max_size=12), st.integers(0, 600))
def test_the_budget_is_kept_by_whole_passages_in_order(sizes: list[int], budget: int) -> None:
    passages = [
        Passage(Chunk(str(i), Note("a.md", "A"), (), "x" * size, 0, size), 1.0, "")
        for i, size in enumerate(sizes)
    ]
    taken = fit_budget(passages, budget)
    costs = [estimate_tokens(passage.chunk.embedded) for passage in taken]
    assert sum(costs) <= budget
    assert [p for p in passages if p in taken] == taken
    for passage in passages:
        if passage not in taken:
            before = sum(estimate_tokens(p.chunk.embedded) for p in taken
                         if passages.index(p) < passages.index(passage))  # fmt: skip
            assert before + estimate_tokens(passage.chunk.embedded) > budget
