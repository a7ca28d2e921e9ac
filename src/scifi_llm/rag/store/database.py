"""The store of record: a Chroma database in the version's folder."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...console import progress
from ...errors import ToolkitError
from ..chunking import Chunk
from .manifest import Manifest, rebuild
from .memory import CHECK, CHUNKS, VECTORS, Contents, note_of, note_record

WRITE_BATCH = 500
# Deleted vectors stay in Chroma's index as tombstones: past this share it is written whole.
PATCH_LIMIT = 0.25
_CHROMA_FIX = "Start it (chroma run --path DIR --port 8002) or unset CHROMA_URL."


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
    with _errors(folder, entry), _client(folder, entry) as client:
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
            limit=WRITE_BATCH * 10,
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
    with _errors(folder, entry), _client(folder, entry) as client:
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
    with _errors(folder, entry):
        if previous is not None and not entry.server and not previous.entry.server:
            changed = difference(previous.contents, contents)
            patched = previous.entry.patched + changed.indexed
            small = patched <= PATCH_LIMIT * len(contents.chunks)
            if small and _copy(previous.folder, folder):
                with _client(folder, entry) as client:
                    _patch(client.get_collection(entry.name, None), contents, changed)
                return patched
        with _client(folder, entry) as client:
            _write_whole(client, entry, contents)
    return 0


def _copy(source: Path, folder: Path) -> bool:
    if not (source / "chroma.sqlite3").exists():
        return False
    ignore = shutil.ignore_patterns(CHUNKS, VECTORS, CHECK)
    shutil.copytree(source, folder, ignore=ignore, dirs_exist_ok=True)
    return True


def _patch(collection: Any, contents: Contents, changed: Difference) -> None:
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
    collection.modify(metadata={"files": json.dumps(_files(contents), ensure_ascii=False)})


def _write_whole(client: Any, entry: Manifest, contents: Contents) -> None:
    collection = client.create_collection(
        stored_name(entry),
        embedding_function=None,
        metadata={"files": json.dumps(_files(contents), ensure_ascii=False)},
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


def remove(entry: Manifest) -> None:
    """Take a version off its server; a version in a folder goes with its folder."""
    if entry.server:
        with _errors(Path(), entry), _client(Path(), entry) as client:
            names = {collection.name for collection in client.list_collections()}
            if stored_name(entry) in names:
                client.delete_collection(stored_name(entry))


def stored_name(entry: Manifest) -> str:
    """Name of the collection that holds a version: a server holds all versions side by side."""
    return f"{entry.name}-v{entry.version}" if entry.server else entry.name


@contextmanager
def _client(folder: Path, entry: Manifest) -> Iterator[Any]:
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    if entry.server:
        client = _http_client(entry.server, settings)
    else:
        client = chromadb.PersistentClient(path=str(folder), settings=settings)
    with client:  # closed, so that nothing of it is served from a cache later
        yield client


def _http_client(address: str, settings: Any) -> Any:
    import chromadb

    try:
        url = urlsplit(address)
        port = url.port or (443 if url.scheme == "https" else 80)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ToolkitError(f"CHROMA_URL={address} is no address.", _CHROMA_FIX)
        return chromadb.HttpClient(url.hostname, port, ssl=url.scheme == "https", settings=settings)
    except ValueError as error:  # chromadb's own word for a server that is not there
        raise ToolkitError(f"No Chroma server at {address}: {error}", _CHROMA_FIX) from None


@contextmanager
def _errors(folder: Path, entry: Manifest) -> Iterator[None]:
    """Chroma's errors as ours: a full disk, a damaged database, a server that went away."""
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except httpx.HTTPError as error:
        raise ToolkitError(
            f"The Chroma server at {entry.server} failed: {error}.", _CHROMA_FIX
        ) from None
    except ChromaError as error:
        if entry.server:
            raise ToolkitError(f"Chroma at {entry.server}: {error}.", _CHROMA_FIX) from None
        free = shutil.disk_usage(folder).free // 1_000_000
        raise ToolkitError(
            f"Chroma failed in {folder} ({error}); {free} MB are free there.",
            f"Check the disk (df -h {folder.parent}). {rebuild(entry.name)}",
        ) from None


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


def _files(contents: Contents) -> dict[str, str]:
    return {c.note.path: contents.hashes.get(c.note.path, "") for c in contents.chunks}
