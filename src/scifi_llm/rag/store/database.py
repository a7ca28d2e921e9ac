"""The store of record: a Chroma database in the version's folder."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...console import progress
from ...errors import ToolkitError
from ..chunking import Chunk
from .client import connect, errors, stored_name
from .manifest import Manifest, rebuild
from .memory import CHECK, CHUNKS, VECTORS, Contents, note_of, note_record

WRITE_BATCH = 1000
# Deleted vectors stay in Chroma's index as tombstones: past this share it is written whole.
PATCH_LIMIT = 0.25


@dataclass
class Version:
    """A version that has been read."""

    folder: Path
    entry: Manifest
    contents: Contents


def record(chunk: Chunk, number: int) -> dict[str, Any]:
    """A chunk's metadata: where it stands, and `number`, its place among the chunks of its note."""
    place = {"heading": chunk.heading, "start": chunk.start, "end": chunk.end}
    section = json.dumps({**place, "note": note_record(chunk.note)}, ensure_ascii=False)
    return {"path": chunk.note.path, "number": number, "section": section}


def read(folder: Path, entry: Manifest) -> Contents:
    """All of a version, in document order. Raises ToolkitError where it is missing or damaged."""
    import numpy as np

    if not entry.server and not (folder / "chroma.sqlite3").exists():
        raise ToolkitError(f"{folder} is missing.", rebuild(entry.name))
    with errors(folder, entry), connect(folder, entry) as client:
        collection = client.get_collection(stored_name(entry), embedding_function=None)
        files = json.loads(collection.metadata["files"])
        found = _all(collection)
    if len(found) != entry.chunks:
        raise ToolkitError(f"{folder} lacks some of its records.", rebuild(entry.name))
    place = {path: number for number, path in enumerate(files)}
    found.sort(key=lambda item: (place[item[2]["path"]], item[2]["number"]))
    chunks = []
    for id_, text, metadata, _ in found:
        section = json.loads(metadata["section"])
        note, heading = note_of(section["note"]), tuple(section["heading"])
        chunks.append(Chunk(id_, note, heading, text, section["start"], section["end"]))
    vectors = np.array([vector for *_, vector in found], dtype=np.float32)
    return Contents(chunks, vectors, files)


def _all(collection: Any) -> list[tuple[str, str, dict[str, Any], Any]]:
    found: list[tuple[str, str, dict[str, Any], Any]] = []
    while True:
        part = collection.get(
            include=["documents", "metadatas", "embeddings"],
            limit=WRITE_BATCH * 5,
            offset=len(found),
        )
        if not part["ids"]:
            return found
        columns = (part[key] for key in ("ids", "documents", "metadatas", "embeddings"))
        found += zip(*columns, strict=True)


def nearest(
    folder: Path, entry: Manifest, vector: Sequence[float], limit: int
) -> list[tuple[str, float]]:
    """(chunk id, cosine similarity) of the `limit` nearest as Chroma itself ranks them."""
    with errors(folder, entry), connect(folder, entry) as client:
        collection = client.get_collection(stored_name(entry), embedding_function=None)
        answer = collection.query(
            query_embeddings=[list(vector)], n_results=limit, include=["distances"]
        )
    pairs = zip(answer["ids"][0], answer["distances"][0], strict=True)
    return [(id_, 1.0 - distance) for id_, distance in pairs]


def write(
    folder: Path,
    entry: Manifest,
    contents: Contents,
    previous: Version | None,
) -> int:
    """Fill a new version's folder. Returns the changes to its index since it was written whole.

    `previous` is the present version: a small difference is applied to a copy of its database.
    """
    with errors(folder, entry, writing=True):
        if previous is not None and not entry.server and not previous.entry.server:
            changed = difference(previous.contents, contents)
            patched = previous.entry.patched + changed.indexed
            small = patched <= PATCH_LIMIT * len(contents.chunks)
            if small and _copy(previous.folder, folder):
                with connect(folder, entry) as client:
                    _patch(folder, client.get_collection(entry.name, None), contents, changed)
                return patched
        with connect(folder, entry) as client:
            _write_whole(folder, client, entry, contents)
    return 0


def _copy(source: Path, folder: Path) -> bool:
    if not (source / "chroma.sqlite3").exists():
        return False
    ignore = shutil.ignore_patterns(CHUNKS, VECTORS, CHECK)
    shutil.copytree(source, folder, ignore=ignore, dirs_exist_ok=True)
    return True


def _patch(folder: Path, collection: Any, contents: Contents, changed: Difference) -> None:
    place = numbers(contents.chunks)
    for first in range(0, len(changed.gone), WRITE_BATCH):
        collection.delete(ids=changed.gone[first : first + WRITE_BATCH])
    _add(collection, contents, changed.fresh)
    for first in range(0, len(changed.moved), WRITE_BATCH):
        rows = changed.moved[first : first + WRITE_BATCH]
        collection.update(
            ids=[contents.chunks[row].id for row in rows],
            metadatas=[record(contents.chunks[row], place[row]) for row in rows],
        )
    collection.modify(metadata=_metadata(folder, contents))


def _write_whole(folder: Path, client: Any, entry: Manifest, contents: Contents) -> None:
    collection = client.create_collection(
        stored_name(entry),
        embedding_function=None,
        metadata=_metadata(folder, contents),
        configuration={"hnsw": {"space": "cosine"}},
    )
    _add(collection, contents, range(len(contents.chunks)))


def _add(collection: Any, contents: Contents, rows: Sequence[int]) -> None:
    place = numbers(contents.chunks)
    batches = [rows[first : first + WRITE_BATCH] for first in range(0, len(rows), WRITE_BATCH)]
    for part in progress(batches, len(batches), "Storing", "batches") if batches else ():
        collection.add(
            ids=[contents.chunks[row].id for row in part],
            embeddings=[contents.vectors[row] for row in part],
            documents=[contents.chunks[row].text for row in part],
            metadatas=[record(contents.chunks[row], place[row]) for row in part],
        )


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
