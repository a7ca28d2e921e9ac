"""The example world, searched: nothing leaks, and its first question finds its note."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scifi_llm.documents import read_folder
from scifi_llm.paths import EXAMPLE_WORLD, chroma_dir, chunks_dir
from scifi_llm.rag.ingest import sections_file, write_sections
from scifi_llm.rag.passages import SearchRequest
from scifi_llm.rag.retrieval import Retriever

QUESTIONS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (EXAMPLE_WORLD.parent / "questions.jsonl").read_text("utf-8").splitlines()
]


@pytest.fixture
def retriever(build: Callable[..., bool]) -> Retriever:
    reading = read_folder(EXAMPLE_WORLD)
    assert reading.bad == []
    assert reading.unnumbered_chapters == []
    write_sections(sections_file(chunks_dir()), "example", reading.sections)
    build("scifi_world")
    return Retriever(chroma_dir(), "scifi_world")


def test_what_a_question_must_not_see_is_never_found(retriever: Retriever) -> None:
    asked = [question for question in QUESTIONS if question.get("forbidden")]
    assert len(asked) >= 24
    for question in asked:
        request = SearchRequest(
            question["query"], as_of=question.get("as_of"), pov=question.get("pov"), top_k=50
        )
        found = {passage.chunk.note.path for passage in retriever.search(request).passages}
        assert not found & set(question["forbidden"]), question["id"]
        assert found


def test_the_first_question_finds_elena(retriever: Retriever) -> None:
    (first,) = retriever.search(SearchRequest(QUESTIONS[0]["query"], top_k=1)).passages
    assert first.chunk.note.path == QUESTIONS[0]["gold"][0]
    assert first.chunk.heading[-1] == "Key traits"
