"""The store: the in-memory copy against Chroma itself, its loss, and the next version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scifi_llm.documents import Note
from scifi_llm.rag import store
from scifi_llm.rag.chunking import Chunk
from scifi_llm.rag.embedding import Embedder
from scifi_llm.rag.store import database, memory

ENTRY = store.Manifest("novel", "model", 384, "data", "digest")
SENTENCES = [
    f"{who} {what} {where}."
    for who in ("Elena", "Jonas", "The captain", "A stranger", "The old king")
    for what in ("repairs the sounder", "sells maps", "fears the water", "sings")
    for where in ("at the ford", "in the harbour", "below the tower")
]


def chunk(number: int, text: str, note: Note | None = None) -> Chunk:
    note = note or Note(path=f"n{number % 7}.md", title=f"Note {number % 7}", aliases=("é", "x"))
    return Chunk(f"id{number:04d}", note, ("One", "Two"), text, number * 100, number * 100 + 50)


def in_document_order(chunks: list[Chunk]) -> list[Chunk]:
    return sorted(chunks, key=lambda c: (c.note.path, c.start))


@pytest.fixture
def contents(embedder: Embedder) -> store.Contents:
    chunks = in_document_order([chunk(i, text) for i, text in enumerate(SENTENCES)])
    vectors = embedder.encode_documents([c.embedded for c in chunks])
    return store.Contents(chunks, vectors, {f"n{i}.md": f"hash{i}" for i in range(7)})


def publish(
    root: Path, contents: store.Contents, previous: store.Collection | None = None
) -> store.Collection:
    with store.writing(root, "novel"):
        entry = store.publish(root, ENTRY, contents, previous)
    return store.Collection(root, entry)


def from_chroma(collection: store.Collection) -> store.Contents:
    return database.read(collection.version.folder, collection.manifest)


def test_ranking_in_memory_is_chromas(
    tmp_path: Path, contents: store.Contents, embedder: Embedder
) -> None:
    collection = publish(tmp_path, contents)
    for question in ("Who repairs the sounder?", "maps in the harbour", "the water below", "king"):
        vector = embedder.encode_query(question)
        ours, chromas = collection.query(vector, 20), collection.nearest_in_store(vector, 20)
        assert [id_ for id_, _ in ours] == [id_ for id_, _ in chromas]
        assert np.allclose([s for _, s in ours], [s for _, s in chromas], atol=1e-5)


def test_what_is_read_is_what_was_written(tmp_path: Path, contents: store.Contents) -> None:
    collection = publish(tmp_path, contents)
    assert collection.order == [c.id for c in contents.chunks]
    assert list(collection.chunks.values()) == contents.chunks
    assert collection.hashes == contents.hashes
    assert collection.matrix.dtype == np.float32
    assert np.array_equal(collection.matrix, contents.vectors)
    assert (collection.manifest.chunks, collection.manifest.files) == (60, 7)


@pytest.mark.parametrize("name", ["memory.json", "chunks.json", "vectors.npy"])
@pytest.mark.parametrize("damage", ["missing", "short", "other"])
def test_a_damaged_copy_is_made_again_from_chroma(
    tmp_path: Path, contents: store.Contents, name: str, damage: str
) -> None:
    before = publish(tmp_path, contents)
    file = before.version.folder / name
    whole = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(whole[:-9] if damage == "short" else whole[:-9] + b"{" * 9)
    after = store.Collection(tmp_path, before.manifest)
    assert after.order == before.order
    assert after.chunks == before.chunks
    assert after.hashes == before.hashes
    assert np.allclose(after.matrix, before.matrix, atol=1e-6)
    assert memory.read(before.version.folder, 60) is not None


def test_allowed_keeps_the_ranking_to_those_ids(tmp_path: Path, contents: store.Contents) -> None:
    collection = publish(tmp_path, contents)
    vector = contents.vectors[0]
    allowed = collection.order[5:30:3]
    found = collection.query(vector, 4, allowed)
    every = [pair for pair in collection.query(vector, 60) if pair[0] in allowed]
    assert found == every[:4]
    assert collection.query(vector, 4, []) == collection.query(vector, 0) == []


def test_ties_stand_in_document_order(tmp_path: Path, contents: store.Contents) -> None:
    contents.vectors[:] = contents.vectors[0]
    collection = publish(tmp_path, contents)
    assert [id_ for id_, _ in collection.query(contents.vectors[0], 9)] == collection.order[:9]


def test_a_small_difference_is_applied_to_a_copy(tmp_path: Path, contents: store.Contents) -> None:
    old = publish(tmp_path, contents)
    chunks, vectors = list(contents.chunks), contents.vectors.copy()
    del chunks[10]
    vectors = np.delete(vectors, 10, axis=0)
    chunks[0] = replace(chunks[0], start=1, note=replace(chunks[0].note, from_chapter=4))
    chunks[30] = chunk(999, "Something new.", chunks[30].note)
    vectors[30] = np.eye(384, dtype=np.float32)[0]
    new = publish(tmp_path, store.Contents(chunks, vectors, {}), old)
    assert new.manifest.patched == 3
    assert list(new.chunks.values()) == chunks
    stored = from_chroma(new)
    assert stored.chunks == chunks
    assert np.allclose(stored.vectors, vectors, atol=1e-6)
    assert "id0999" in [id_ for id_, _ in new.nearest_in_store(vectors[30], 1)]
    # The old version is as it was.
    assert from_chroma(old).chunks == contents.chunks


def test_many_small_differences_end_in_a_whole_database(
    tmp_path: Path, contents: store.Contents
) -> None:
    collection, patched = publish(tmp_path, contents), []
    for number in range(12):
        chunks = list(collection.chunks.values())
        chunks[number] = chunk(900 + number, f"New text {number}.", chunks[number].note)
        collection = publish(tmp_path, store.Contents(chunks, contents.vectors), collection)
        patched.append(collection.manifest.patched)
    assert patched == [2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8]
    assert from_chroma(collection).chunks == list(collection.chunks.values())


def test_a_reader_of_a_removed_version_gets_the_newest(
    tmp_path: Path, contents: store.Contents
) -> None:
    first = publish(tmp_path, contents)
    for _ in range(3):
        last = publish(tmp_path, contents)
    assert not first.version.folder.exists()
    assert store.Collection(tmp_path, first.manifest).manifest == last.manifest
