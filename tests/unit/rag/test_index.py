"""Building collections: incremental, published whole, never mixed."""

from __future__ import annotations

import fcntl
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scifi_llm.documents import Note
from scifi_llm.errors import ToolkitError
from scifi_llm.paths import chroma_dir, chunks_dir
from scifi_llm.rag import embedding, index, store
from scifi_llm.rag.backends import Backend
from scifi_llm.rag.chunking import Chunk
from scifi_llm.rag.ingest import read_sections
from scifi_llm.rag.vectors import Vectors

Build = Callable[..., bool]
Ingest = Callable[..., None]
Notes = dict[str, str]


def texts(name: str = "novel") -> set[str]:
    entry = store.require(chroma_dir(), name)
    return {chunk.text for chunk in store.Collection(chroma_dir(), entry).chunks.values()}


def test_unchanged_notes_write_nothing(
    collection: Path, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (collection / "novel" / "current.json").read_text()
    assert not build()
    assert (collection / "novel" / "current.json").read_text() == before
    assert "up to date: 6 chunks" in capsys.readouterr().out


def test_an_edit_embeds_only_what_it_touches_and_deleted_notes_go(
    collection: Path, notes: Notes, ingest: Ingest, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = {**notes, "characters/elena.md": "# Elena Ruhl\n\nElena Ruhl is impatient now."}
    del edited["plots/peace.md"]
    ingest(edited)
    assert build()
    assert "5 chunks of 5 files, 1 embedded" in capsys.readouterr().out
    found = texts()
    assert "Elena Ruhl is impatient now." in found
    assert not any("Peace holds" in text or "patient and exact" in text for text in found)


def test_changed_front_matter_is_published_without_embedding(
    collection: Path, notes: Notes, ingest: Ingest, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest({**notes, "plots/war.md": notes["plots/war.md"].replace("3", "4")})
    assert build()
    assert "6 chunks of 6 files, 0 embedded" in capsys.readouterr().out
    entry = store.require(collection, "novel")
    chunks = store.Collection(collection, entry).chunks.values()
    assert [c.note.from_chapter for c in chunks if c.note.path == "plots/war.md"] == [4]


def test_without_arguments_the_last_collection_keeps_its_model(
    collection: Path, build: Build
) -> None:
    build("second", "fast")
    assert index.choose_collection(None, collection) == "second"
    present = store.require(collection, "novel")
    assert index.choose_model(None, present, rebuild=False) == present.model
    assert index.choose_collection(None, collection / "empty") == "scifi_world"


def test_another_model_needs_rebuild(collection: Path, build: Build) -> None:
    folder = str(index.embedding._folder(index.embedding.BUNDLED))
    with pytest.raises(ToolkitError) as caught:
        build(model=folder)
    assert caught.value.problem == (
        f"Collection 'novel' was embedded with all-MiniLM-L6-v2, not {folder}."
    )
    assert caught.value.fix.endswith(f"--collection novel --model {folder} --rebuild")
    assert build(model=folder, rebuild=True)
    assert store.require(collection, "novel").model == folder


def test_the_example_leaves_with_a_warning(
    notes: Notes, ingest: Ingest, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(notes, "example")
    build()
    ingest({"mine.md": "# Mine\n\nMy own note."}, "data")
    build()
    assert "[WARN] The example world has left collection 'novel'." in capsys.readouterr().err
    assert texts() == {"My own note."}


def test_a_second_writer_is_refused(collection: Path, build: Build) -> None:
    with (collection / "novel" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ToolkitError, match="Another process is embedding into 'novel'"):
            build(rebuild=True)


@pytest.mark.parametrize("name", ["ab", "a" * 513, "a/b", "../x", "a..b", "-ab", ""])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(ToolkitError, match="is no name for a collection"):
        store.check_name(name)


def test_an_unknown_collection_lists_those_there_are(collection: Path) -> None:
    with pytest.raises(ToolkitError, match=r"no collection 'other' in .* \(there are: novel\)"):
        store.require(collection, "other")


@pytest.mark.parametrize("damage", ["{", "[]", '{"name": "novel"}'])
def test_a_damaged_manifest_is_an_error_that_names_rebuild(
    collection: Path, build: Build, damage: str
) -> None:
    (collection / "novel" / "current.json").write_text(damage)
    with pytest.raises(ToolkitError, match="damaged") as caught:
        store.require(collection, "novel")
    assert caught.value.fix.endswith("--collection novel --rebuild")
    assert store.collections(collection) == []
    assert build(rebuild=True)
    assert len(texts()) == 6


def test_a_damaged_database_is_embedded_anew(
    collection: Path, notes: Notes, ingest: Ingest, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    version = store.require(collection, "novel").version
    folder = collection / "novel" / f"v{version}"
    (folder / "chroma.sqlite3").unlink()
    (folder / "memory.json").unlink()
    ingest({**notes, "new.md": "# New\n\nSomething new."})
    assert build()
    assert "7 embedded" in capsys.readouterr().out
    assert len(texts()) == 7


def test_old_versions_are_removed_but_the_last_stays(
    collection: Path, notes: Notes, ingest: Ingest, build: Build
) -> None:
    for number in range(4):
        ingest({**notes, "new.md": f"# New\n\nVersion {number}."})
        build()
    versions = sorted(path.name for path in (collection / "novel").glob("v*"))
    assert versions == ["v4", "v5"]


def test_kill_9_at_any_moment_leaves_the_old_or_the_new_version(
    collection: Path, ingest: Ingest
) -> None:
    old = texts()
    ingest({f"n{i}.md": f"# Note {i}\n\nNew text number {i}." for i in range(40)})
    new = {f"New text number {i}." for i in range(40)}
    code = (
        "import sys; sys.path.insert(0, 'src')\n"
        "from scifi_llm.rag import index, store, embedding\n"
        "from scifi_llm.paths import chroma_dir, chunks_dir\n"
        "embedding.load(embedding.BUNDLED); import chromadb; print('go', flush=True)\n"
        "index.build(chunks_dir(), chroma_dir(), None, 'novel', True)\n"
    )
    seen = set()
    for attempt in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).resolve().parents[3],
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.uniform(0.0, 1.2) if attempt < 3 else 0)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        found = texts()
        assert found in (old, new)
        seen.add(len(found))
    subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[3], check=True
    )
    assert texts() == new
    manifest = json.loads((collection / "novel" / "current.json").read_text())
    assert manifest["chunks"] == 40


class Interrupting:
    """Stands in for a model: counts its batches and is interrupted at one of them."""

    def __init__(self, real: embedding.Embedder, stop_at: int) -> None:
        self.left = stop_at
        self.rows = 0
        backend = Backend(real.backend.name, self.encode)
        self.embedder = embedding.Embedder(real.name, real.tokens, backend, 2)

    def encode(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.rows += len(ids)
        return np.tile(np.array([1, 0], dtype=np.float32), (len(ids), 1))


def test_an_interrupted_run_goes_on_where_it_ended(
    tmp_path: Path, embedder: embedding.Embedder, capsys: pytest.CaptureFixture[str]
) -> None:
    note = Note(path="a.md", title="A")
    chunks = [Chunk(str(i), note, (), f"text {i} " + "x " * i, i, i + 1) for i in range(100)]
    first = Interrupting(embedder, 2)
    with pytest.raises(KeyboardInterrupt):
        list(Vectors(chunks, first.embedder, None, tmp_path).fill())
    second = Interrupting(embedder, -1)
    vectors = Vectors(chunks, second.embedder, None, tmp_path)
    assert sorted(vectors.fill()) == list(range(100))
    assert first.rows > 0
    assert vectors.computed == second.rows == 100 - first.rows
    assert vectors.array.shape == (100, 2)
    assert (vectors.array == [1, 0]).all()
    assert f"{first.rows} chunks were embedded by an interrupted run" in capsys.readouterr().out


def test_a_renamed_file_keeps_its_vectors_and_the_old_name_goes(
    collection: Path, notes: Notes, ingest: Ingest, build: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    notes["people/ruhl.md"] = notes.pop("characters/elena.md")
    ingest(notes)
    assert build()
    assert "6 chunks of 6 files, 0 embedded" in capsys.readouterr().out
    paths = {
        chunk.note.path
        for chunk in store.Collection(
            collection, store.require(collection, "novel")
        ).chunks.values()
    }
    assert paths == set(notes)


def test_chunks_stand_in_the_order_of_the_notes(
    collection: Path, notes: Notes, ingest: Ingest, build: Build
) -> None:
    ingest({**notes, "characters/anna.md": "# Anna\n\nFirst of all.", "zoo.md": "# Zoo\n\nLast."})
    build()
    present = store.Collection(collection, store.require(collection, "novel"))
    read = [section.note.path for section in read_sections(chunks_dir())[1]]
    assert [present.chunks[id_].note.path for id_ in present.order] == read
    assert len(read) == 8


def test_a_model_of_another_dimension_needs_rebuild(collection: Path, build: Build) -> None:
    file = collection / "novel" / "current.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "dimension": 768, "digest": "x"}))
    with pytest.raises(ToolkitError, match="has 768 dimensions, its model 384") as caught:
        build()
    assert caught.value.fix.endswith("--collection novel --rebuild")
    assert build(rebuild=True)
