"""Judged retrieval sets: documents, questions, and which documents answer which question.

A set is a folder: documents.jsonl (id, title, text, group), queries.jsonl (id, query, history,
group, exclude_doc_id) and qrels.jsonl (query_id, doc_id, relevance, start, end). documents.jsonl
may hold one line instead, the path of another documents.jsonl.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..documents import Note, Section, parse_note
from ..errors import ToolkitError
from .passages import Passage, SearchRequest

OVERLAP = 0.5  # of the shorter of passage and evidence: a hit


@dataclass(frozen=True)
class Judgement:
    """A relevant document; with `start` and `end` only that part of its text counts."""

    document: str
    relevance: float
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Query:
    """A question as a client would send it, and what answers it."""

    id: str
    request: SearchRequest
    relevant: tuple[Judgement, ...]
    kind: str = ""

    @property
    def by_evidence(self) -> bool:
        """Is a part of a document wanted, not the document?"""
        return any(entry.start is not None for entry in self.relevant)


@dataclass(frozen=True)
class Dataset:
    """Sections to index and questions to ask; a note's path is its document's id."""

    name: str
    sections: list[Section]
    queries: list[Query]
    documents: int


def load(folder: Path) -> Dataset:
    """Read a set. Raises ToolkitError where a file is missing or is not of the format."""
    documents = _documents(folder)
    try:
        sections = [s for entry in documents for s in document_sections(entry)]
        qrels = _qrels(folder)
        groups: dict[str, set[str]] = {}
        for entry in documents:
            if entry.get("group"):
                groups.setdefault(str(entry["group"]), set()).add(str(entry["id"]))
        ids = {str(entry["id"]) for entry in documents}
        queries = [
            _query(entry, qrels, groups, ids)
            for entry in _lines(folder / "queries.jsonl")
            if str(entry["id"]) in qrels
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ToolkitError(
            f"{folder} is not a set of the expected form ({type(error).__name__}: {error}).",
            "See the format in: RAG/3_test_retrieval.py --help",
        ) from None
    if not queries:
        raise ToolkitError(f"{folder} has no judged question.", "Check its qrels.jsonl.")
    return Dataset(folder.resolve().name, sections, queries, len(documents))


def document_sections(entry: Mapping[str, Any]) -> list[Section]:
    """A document read as a note would be; offsets count characters of its `text`."""
    path, title, text = str(entry["id"]), str(entry["title"]), str(entry["text"])
    note = Note(path=path, title=title)
    try:
        sections = parse_note(text, f"{path}.md")
    except ToolkitError:  # a set's documents are not all notes: what would be refused is taken raw
        return [Section(note, (), text, 0, len(text))]
    return [replace(section, note=note) for section in sections]


def _documents(folder: Path) -> list[dict[str, Any]]:
    file = folder / "documents.jsonl"
    try:
        first = file.read_text(encoding="utf-8").strip()
        if not first.startswith("{") and "\n" not in first:
            file = folder / first
    except OSError:
        pass
    return _lines(file)


def _lines(file: Path) -> list[dict[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ToolkitError(
            f"{file} cannot be read: {error}.",
            "Name a folder with documents.jsonl, queries.jsonl and qrels.jsonl.",
        ) from None
    found = []
    # Not splitlines(): JSON text may hold U+2028 as it is.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.append(dict(json.loads(line)))
            except (ValueError, TypeError):
                raise ToolkitError(
                    f"{file} line {number} is no JSON object.", "Mend the line."
                ) from None
    return found


def _qrels(folder: Path) -> dict[str, tuple[Judgement, ...]]:
    found: dict[str, tuple[Judgement, ...]] = {}
    for entry in _lines(folder / "qrels.jsonl"):
        relevance = float(entry.get("relevance", 1))
        if relevance > 0:
            judgement = Judgement(
                str(entry["doc_id"]), relevance, entry.get("start"), entry.get("end")
            )
            key = str(entry["query_id"])
            found[key] = (*found.get(key, ()), judgement)
    return found


def _query(
    entry: Mapping[str, Any],
    qrels: Mapping[str, tuple[Judgement, ...]],
    groups: Mapping[str, set[str]],
    ids: set[str],
) -> Query:
    paths: set[str] | None = None
    if entry.get("group"):
        paths = set(groups.get(str(entry["group"]), set()))
    if entry.get("exclude_doc_id"):
        paths = (paths if paths is not None else set(ids)) - {str(entry["exclude_doc_id"])}
    request = SearchRequest(
        str(entry["query"]),
        history=tuple((str(t["role"]), str(t["content"])) for t in entry.get("history") or ()),
        as_of=entry.get("as_of"),
        pov=entry.get("pov"),
        paths=None if paths is None else frozenset(paths),
    )
    return Query(str(entry["id"]), request, qrels[str(entry["id"])], str(entry.get("kind") or ""))


def is_hit(passage: Passage, query: Query) -> bool:
    """Does a passage answer, by its document or by its overlap with the evidence?"""
    for entry in query.relevant:
        if entry.document != passage.chunk.note.path:
            continue
        if entry.start is None or entry.end is None:
            return True
        start, end = passage.chunks[0].start, passage.chunks[-1].end
        shared = min(end, entry.end) - max(start, entry.start)
        if shared >= OVERLAP * min(end - start, entry.end - entry.start):
            return True
    return False
