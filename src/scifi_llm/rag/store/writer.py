"""Filling a new version's Chroma database, whole or as a patched copy of the present one."""

from __future__ import annotations

import json
import shutil
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ...console import progress
from ...documents import Note
from ..chunking import Chunk
from .client import connect, errors, stored_name
from .manifest import Manifest
from .memory import CHECK, CHUNKS, VECTORS, Contents, note_record

WRITE_BATCH = 500
# Deleted vectors stay in Chroma's index as tombstones: past this share it is written whole.
PATCH_LIMIT = 0.25


@dataclass
class Version:
    """A version that has been read."""

    folder: Path
    entry: Manifest
    contents: Contents


def write(
    folder: Path,
    entry: Manifest,
    contents: Contents,
    previous: Version | None,
    ready: Iterable[int],
) -> int:
    """Fill a new version's folder. Returns the changes to its index since it was written whole.

    `ready` yields each row of `contents.vectors` once it is filled: Chroma stores while the caller
    still computes. `previous` is the present version: a small difference is applied to a copy of
    its database.
    """
    changed, patched = None, 0
    if previous is not None and not entry.server and not previous.entry.server:
        found = difference(previous.contents, contents)
        more = previous.entry.patched + found.indexed
        if more <= PATCH_LIMIT * len(contents.chunks) and _copy(previous.folder, folder):
            changed, patched = found, more
    with errors(folder, entry, writing=True), _Writer(folder, entry, contents, changed) as writer:
        for row in ready:
            writer.add(row)
        writer.finish()
    return patched


class _Writer:
    """Adds rows to a version's database in a thread of its own. Used within `with`.

    `changed` is what differs from what is there; None makes the collection anew.
    """

    def __init__(
        self, folder: Path, entry: Manifest, contents: Contents, changed: Difference | None
    ) -> None:
        self._folder, self._entry, self._contents = folder, entry, contents
        self._changed = changed
        self._wanted = None if changed is None else set(changed.fresh)
        self._number = numbers(contents.chunks)
        self._notes: dict[Note, dict[str, Any]] = {}
        self._rows: list[int] = []
        self._client = ExitStack()
        self._thread = ThreadPoolExecutor(1, "chroma")
        self._jobs = deque([self._thread.submit(self._open)])

    def add(self, row: int) -> None:
        """Add a row, some time later. Raises what an earlier one met."""
        if self._wanted is None or row in self._wanted:
            self._rows.append(row)
        if len(self._rows) == WRITE_BATCH:
            self._submit()

    def finish(self) -> None:
        """Wait until all is stored, with progress."""
        self._submit()
        self._jobs.append(self._thread.submit(self._close))
        for job in progress(self._jobs, len(self._jobs), "Storing", "batches"):
            job.result()

    def _submit(self) -> None:
        self._jobs.append(self._thread.submit(self._store, self._rows))
        self._rows = []
        while self._jobs and self._jobs[0].done():
            self._jobs.popleft().result()

    def _open(self) -> None:
        client = self._client.enter_context(connect(self._folder, self._entry))
        if self._changed is None:
            self._collection = client.create_collection(
                stored_name(self._entry),
                embedding_function=None,
                metadata=_metadata(self._folder, self._contents),
                configuration={"hnsw": {"space": "cosine"}},
            )
            return
        self._collection = client.get_collection(self._entry.name, embedding_function=None)
        gone = self._changed.gone
        for first in range(0, len(gone), WRITE_BATCH):
            self._collection.delete(ids=gone[first : first + WRITE_BATCH])

    def _store(self, rows: list[int]) -> None:
        chunks = [self._contents.chunks[row] for row in rows]
        if rows:
            self._collection.add(
                ids=[chunk.id for chunk in chunks],
                embeddings=[self._contents.vectors[row] for row in rows],
                documents=[chunk.text for chunk in chunks],
                metadatas=[self._record(row) for row in rows],
            )

    def _close(self) -> None:
        if self._changed is None:
            return
        moved = self._changed.moved
        for first in range(0, len(moved), WRITE_BATCH):
            rows = moved[first : first + WRITE_BATCH]
            self._collection.update(
                ids=[self._contents.chunks[row].id for row in rows],
                metadatas=[self._record(row) for row in rows],
            )
        self._collection.modify(metadata=_metadata(self._folder, self._contents))

    def _record(self, row: int) -> dict[str, Any]:
        chunk = self._contents.chunks[row]
        note = self._notes.get(chunk.note)
        if note is None:
            note = self._notes[chunk.note] = note_record(chunk.note)
        return record(chunk, note, self._number[row])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # After an error or Ctrl+C, what is not stored yet is not needed.
        self._thread.shutdown(cancel_futures=True)
        self._client.close()


def record(chunk: Chunk, note: dict[str, Any], number: int) -> dict[str, Any]:
    """A chunk's metadata: where it stands, and `number`, its place among the chunks of its note."""
    place = {"heading": chunk.heading, "start": chunk.start, "end": chunk.end}
    section = json.dumps({**place, "note": note}, ensure_ascii=False)
    return {"path": chunk.note.path, "number": number, "section": section}


def _copy(source: Path, folder: Path) -> bool:
    if not (source / "chroma.sqlite3").exists():
        return False
    ignore = shutil.ignore_patterns(CHUNKS, VECTORS, CHECK)
    shutil.copytree(source, folder, ignore=ignore, dirs_exist_ok=True)
    return True


@dataclass
class Difference:
    """Ids to take out, and rows of the new version to put in anew or to describe anew."""

    gone: list[str]
    fresh: list[int]
    moved: list[int]

    @property
    def indexed(self) -> int:
        """How many changes the vector index sees."""
        return len(self.gone) + len(self.fresh)


def difference(old: Contents, new: Contents) -> Difference:
    """What turns one version into another. Pure.

    A chunk whose embedded text has changed under its id is gone and fresh.
    """
    places = zip(old.chunks, numbers(old.chunks), strict=True)
    before = {chunk.id: (chunk, number) for chunk, number in places}
    fresh, moved, kept = [], [], set()
    for row, (chunk, number) in enumerate(zip(new.chunks, numbers(new.chunks), strict=True)):
        was, place = before.get(chunk.id, (None, 0))
        if was is None or was.embedded != chunk.embedded:
            fresh.append(row)
            continue
        kept.add(chunk.id)
        if was != chunk or place != number:
            moved.append(row)
    return Difference([id_ for id_ in before if id_ not in kept], fresh, moved)


def numbers(chunks: Sequence[Chunk]) -> list[int]:
    """Each chunk's place among the chunks of its path."""
    seen: Counter[str] = Counter()
    result = []
    for chunk in chunks:
        result.append(seen[chunk.note.path])
        seen[chunk.note.path] += 1
    return result


def _metadata(folder: Path, contents: Contents) -> dict[str, str]:
    hashes = contents.hashes
    files = {c.note.path: hashes.get(c.note.path, "") for c in contents.chunks}
    return {"files": json.dumps(files, ensure_ascii=False), "home": str(folder.parent)}
