"""The speed benchmark on a small world: what it makes and what it reports."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from scifi_llm.paths import EXAMPLE_WORLD
from scifi_llm.rag import speed, speed_search, store
from scifi_llm.rag.speed_search import grow, quantiles, questions


def test_quantiles_are_in_milliseconds() -> None:
    assert quantiles([number / 1000 for number in range(1, 101)]) == {"p50": 50.0, "p95": 95.0}


def test_the_whole_run_on_the_example_world(tmp_path: Path) -> None:
    found = speed.commands(EXAMPLE_WORLD, "fast", tmp_path)
    assert found["chunks"] > 10
    assert found["ingest_and_embed_to_encode"] > 0
    assert found["edited"].endswith(".md")
    root = tmp_path / "chroma_db"
    entry = store.collections(root)[0]
    # One version for the first run, none for the unchanged one, one for the edit.
    assert entry.version == 2
    result = speed_search.search_at(3 * entry.chunks, tmp_path)
    assert result["chunks"] == 3 * entry.chunks
    assert set(result) == {"chunks", "first_s", "plain_ms", "as_of_ms", "peak_memory_mb"}
    assert json.dumps(result)
    assert [item.name for item in store.collections(root)] == [entry.name]


def test_grown_chunks_are_copies_with_chapters(tmp_path: Path, collection: Path) -> None:
    present = store.Collection(collection, store.require(collection, "novel"))
    chunks = list(present.chunks.values())
    grown = grow(chunks, present.matrix, 20)
    assert len({chunk.id for chunk in grown.chunks}) == len(grown.chunks) == 20
    assert [chunk.text for chunk in grown.chunks[:6]] == [chunk.text for chunk in chunks]
    assert {chunk.note.chapter for chunk in grown.chunks} == {1, 2, 3, 4}
    assert np.allclose(np.linalg.norm(grown.vectors, axis=1), 1, atol=1e-6)
    assert (grown.vectors[:6] * present.matrix).sum(1).min() > 0.8


def test_questions_are_the_same_on_every_run(collection: Path) -> None:
    present = store.Collection(collection, store.require(collection, "novel"))
    chunks = list(present.chunks.values())
    asked = questions(chunks)
    assert asked == questions(chunks)
    assert len(asked) == 60
    assert "What about Jonas sells maps?" not in asked  # words of three letters are left out
    assert any("Jonas" in question for question in asked)
