"""Reading the store of record: a Chroma database in the version's folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import ToolkitError
from ..chunking import Chunk
from .client import connect, errors, stored_name
from .manifest import Manifest, rebuild
from .memory import Contents, note_of

READ_BATCH = 5000  # records at once


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
            limit=READ_BATCH,
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
