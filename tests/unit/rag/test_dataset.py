"""Judged sets: reading them, hits by document and by evidence, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scifi_llm.documents import Note
from scifi_llm.errors import ToolkitError
from scifi_llm.rag import dataset
from scifi_llm.rag.chunking import Chunk
from scifi_llm.rag.passages import Passage, SearchRequest

DOCUMENTS = [
    {"id": "n1", "title": "Home", "text": "I live in Delft.", "group": "g"},
    {"id": "n2", "title": "Home", "text": "# Food\n\nI eat no meat.\u2028Never.", "group": "g"},
    {"id": "n3", "title": "Other", "text": "A remark <!-- left open. ", "group": "h"},
]
QUERIES = [
    {"id": "q1", "query": "Where?", "group": "g", "history": [{"role": "user", "content": "Hi"}]},
    {"id": "q2", "query": "What?", "exclude_doc_id": "n1"},
    {"id": "q3", "query": "Unjudged?"},
]
QRELS: list[dict[str, Any]] = [
    {"query_id": "q1", "doc_id": "n1", "relevance": 2},
    {"query_id": "q1", "doc_id": "n2", "relevance": 0},
    {"query_id": "q2", "doc_id": "n2", "relevance": 1, "start": 10, "end": 20},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, lines in (("documents", DOCUMENTS), ("queries", QUERIES), ("qrels", QRELS)):
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        (tmp_path / f"{name}.jsonl").write_text(text + "\n", "utf-8")
    return tmp_path


def test_a_set_is_read(folder: Path) -> None:
    found = dataset.load(folder)
    assert found.documents == 3
    assert [(s.note.path, s.note.title, s.heading) for s in found.sections] == [
        ("n1", "Home", ()), ("n2", "Home", ("Food",)), ("n3", "Other", ()),
    ]  # fmt: skip
    first, second = found.queries
    assert first.request == SearchRequest(
        "Where?", (("user", "Hi"),), paths=frozenset({"n1", "n2"})
    )
    assert first.relevant == (dataset.Judgement("n1", 2.0),)
    assert second.request.paths == {"n2", "n3"}
    assert second.by_evidence
    assert not first.by_evidence


def test_a_set_may_use_the_documents_of_another(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("queries", "qrels"):
        (other / f"{name}.jsonl").write_bytes((folder / f"{name}.jsonl").read_bytes())
    (other / "documents.jsonl").write_text("../documents.jsonl\n", "utf-8")
    assert dataset.load(other).documents == 3


@pytest.mark.parametrize(
    ("start", "end", "answers"),
    [
        (10, 20, True),
        (15, 18, True),
        (15, 40, True),
        (16, 40, False),
        (0, 100, True),
        (30, 40, False),
    ],
)
def test_evidence_is_met_by_half_of_the_shorter(
    folder: Path, start: int, end: int, answers: bool
) -> None:
    query = dataset.load(folder).queries[1]
    chunk = Chunk("1", Note("n2", "Home"), (), "x", start, end)
    assert dataset.is_hit(Passage("set", (chunk,), 1.0, ""), query) == answers
    elsewhere = Chunk("1", Note("n1", "Home"), (), "x", start, end)
    assert not dataset.is_hit(Passage("set", (elsewhere,), 1.0, ""), query)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("queries.jsonl", "{\n", "line 1 is no JSON object"),
        ("queries.jsonl", "[1]\n", "line 1 is no JSON object"),
        ("documents.jsonl", '{"id": 1}\n', "not a set of the expected form (KeyError: 'title')"),
        ("qrels.jsonl", "", "has no judged question"),
        ("qrels.jsonl", None, "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, file: str, text: str | None, problem: str) -> None:
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(text, "utf-8")
    with pytest.raises(ToolkitError) as caught:
        dataset.load(folder)
    assert problem in caught.value.problem
