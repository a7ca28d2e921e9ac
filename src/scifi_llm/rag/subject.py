"""What step 3 measures: a judged set in a scratch store, or the author's own collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..console import log_ok, log_test, log_warn
from ..errors import ToolkitError
from ..paths import EXAMPLE_WORLD, chroma_dir, data_dir
from . import dataset, evaluate, own_questions
from .dataset import Query
from .index import choose_collection
from .passages import Passage
from .retrieval import Retriever


@dataclass
class Subject:
    """What is measured: a collection below `root`, and questions to it."""

    name: str
    root: Path
    collection: str
    queries: list[Query]
    documents: int
    forbidden: dict[str, frozenset[str]] = field(default_factory=dict)
    chunks: int = 0
    rate: float | None = None

    def leaks(self, query: Query, passage: Passage) -> bool:
        """Is this passage of a note that the question must not see?"""
        return passage.chunk.note.path in self.forbidden.get(query.id, ())


def judged_set(folder: Path, model: str, scratch: Path) -> Subject:
    """Index a judged set in a scratch store."""
    found = dataset.load(folder)
    log_test(f"Indexing {found.documents} documents of {found.name} with {model}")
    chunks, rate = evaluate.build(found, scratch, model)
    name = evaluate.collection_name(found)
    return Subject(
        found.name, scratch, name, found.queries, found.documents, chunks=chunks, rate=rate
    )


def own_collection(name: str | None) -> Subject:
    """The author's collection with the author's questions and known-item ones."""
    root = chroma_dir()
    collection = choose_collection(name, root)
    corpus = Retriever(root, collection).collection()
    subject = Subject(
        collection,
        root,
        collection,
        own_questions.known_items(corpus),
        len(corpus.notes),
        chunks=len(corpus.chunks),
    )
    file = data_dir() / "questions.jsonl"
    if corpus.manifest.source == "example":
        file = EXAMPLE_WORLD.parent / "questions.jsonl"
    if file.exists():
        asked = own_questions.read(file)
        log_ok(f"{len(asked)} questions in {file}")
        subject.queries = [query for query, _ in asked if query.relevant]
        subject.forbidden = {query.id: paths for query, paths in asked}
    else:
        log_warn(
            f"{file} does not exist: only known-item questions are asked. "
            'Add lines like {"query": "Who is Elena?", "gold": ["characters/elena.md"]}'
        )
    if not subject.queries:
        raise ToolkitError(f"Collection {collection!r} gives no questions.", f"Write {file}.")
    return subject
