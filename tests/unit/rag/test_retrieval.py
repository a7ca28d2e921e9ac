"""Search on a real collection: order, canon rules, budget, new versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.paths import chroma_dir
from scifi_llm.rag.canon import visible
from scifi_llm.rag.passages import Passage, SearchRequest
from scifi_llm.rag.retrieval import Retriever


@pytest.fixture
def retriever(collection: Path) -> Retriever:
    return Retriever(collection, "novel")


def paths(passages: list[Passage]) -> list[str]:
    return [passage.chunk.note.path for passage in passages]


def test_the_best_passage_comes_first(retriever: Retriever) -> None:
    found = retriever.search(SearchRequest("Who repairs the sounders?", top_k=3)).passages
    assert paths(found)[0] == "characters/elena.md"
    assert len(found) == 3
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert found[0].result() == {
        "path": "characters/elena.md",
        "heading": "Elena Ruhl",
        "score": round(found[0].score, 4),
        "why": "bm25 0.49, dense 0.52",
        "text": "Elena Ruhl is patient and exact; she repairs sounders.",
    }


@pytest.mark.parametrize("as_of", [None, 0, 1, 2, 3])
@pytest.mark.parametrize("pov", [None, "Elena Ruhl", "Nobody"])
def test_nothing_hidden_is_found_whatever_is_asked(
    retriever: Retriever, as_of: int | None, pov: str | None
) -> None:
    for query in ("The war and the ford", "Who sells maps?", "What happened at noon?"):
        found = retriever.search(SearchRequest(query, as_of=as_of, pov=pov, top_k=20)).passages
        assert all(visible(passage.chunk.note, as_of, pov) for passage in found)
        shown = [c for c in retriever.collection().chunks if visible(c.note, as_of, pov)]
        assert len(found) == len(shown)  # everything that may be shown is ranked


def test_an_empty_question_finds_nothing(retriever: Retriever) -> None:
    assert retriever.search(SearchRequest("  ")).passages == []


def test_a_new_version_is_searched_without_a_restart(
    retriever: Retriever,
    notes: dict[str, str],
    ingest: Callable[..., None],
    build: Callable[..., bool],
) -> None:
    assert "x.md" not in paths(
        retriever.search(SearchRequest("The lighthouse keeper", top_k=20)).passages
    )
    ingest({**notes, "x.md": "# Keeper\n\nThe lighthouse keeper counts ships."})
    build()
    assert paths(retriever.search(SearchRequest("The lighthouse keeper")).passages)[0] == "x.md"


def test_a_collection_of_another_dimension_names_rebuild(
    retriever: Retriever, collection: Path
) -> None:
    file = collection / "novel" / "current.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "dimension": 768}))
    with pytest.raises(ToolkitError, match="has 768 dimensions, its model 384") as caught:
        retriever.search(SearchRequest("Elena"))
    assert "--rebuild" in caught.value.fix


def test_an_alias_leads_to_its_note_and_related_notes_follow(
    ingest: Callable[..., None], build: Callable[..., bool], notes: dict[str, str]
) -> None:
    front = "---\naliases: [the Needle]\nrelated: [The war, Nothing]\n---\n"
    ingest({**notes, "tollan.md": f"{front}# Tollan Wray\n\nHe pilots a barge and owes money."})
    build()
    retriever = Retriever(chroma_dir(), "novel")
    found = retriever.search(SearchRequest("What does the Needle want?")).passages
    assert paths(found)[0] == "tollan.md"
    assert found[0].routes["name"] == "the Needle"
    one = retriever.search(SearchRequest("What does the Needle want?", top_k=1)).passages
    assert paths(one) == ["tollan.md"]  # nothing related beyond what was asked for


def test_related_notes_come_after_what_was_found(
    ingest: Callable[..., None], build: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOP_K", "1")
    ingest(
        {
            "elena.md": "---\nrelated: [The war, peace]\n---\n# Elena\n\nElena repairs sounders.",
            "plots/war.md": "---\nfrom_chapter: 3\n---\n# The war\n\nThe ford opens.",
            "plots/peace.md": "# Quiet\n\nNothing happens.",
        }
    )
    build()
    retriever = Retriever(chroma_dir(), "novel")
    found = retriever.search(SearchRequest("Who repairs sounders?")).passages
    assert paths(found) == ["elena.md", "plots/war.md", "plots/peace.md"]
    assert found[1].why.startswith("related to Elena")
    early = retriever.search(SearchRequest("Who repairs sounders?", as_of=2)).passages
    assert paths(early) == ["elena.md", "plots/peace.md"]


def test_several_collections_are_searched_at_once(
    ingest: Callable[..., None], build: Callable[..., bool]
) -> None:
    ingest({"a.md": "# Keeper\n\nThe lighthouse keeper counts ships."})
    build("first")
    ingest({"a.md": "# Baker\n\nThe baker counts loaves."})
    build("second")
    retriever = Retriever(chroma_dir(), "first")
    asked = SearchRequest("Who counts loaves?", collections=("first", "second"))
    found = retriever.search(asked).passages
    assert [(p.collection, p.chunk.note.title) for p in found] == [
        ("second", "Baker"), ("first", "Keeper"),
    ]  # fmt: skip
    alone = SearchRequest("Who counts loaves?")
    assert [p.collection for p in retriever.search(alone).passages] == ["first"]
