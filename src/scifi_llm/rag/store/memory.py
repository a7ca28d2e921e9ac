"""A version's in-memory copy: chunks.json and vectors.npy, derived from Chroma.

memory.json, written last, holds what both must be; a copy that does not agree with it counts as
missing and is made again from Chroma.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...documents import Note, Section
from ..chunking import Chunk
from .manifest import replace

if TYPE_CHECKING:
    import numpy as np

CHUNKS, VECTORS, CHECK = "chunks.json", "vectors.npy", "memory.json"


@dataclass
class Contents:
    """All of a version: chunks in document order, their vectors, and a hash for each file.

    `vectors` has shape (len(chunks), dimension), float32, unit length, in the order of `chunks`.
    """

    chunks: Sequence[Chunk]
    vectors: np.ndarray
    hashes: dict[str, str] = field(default_factory=dict)


def note_record(note: Note) -> dict[str, Any]:
    """A note as a JSON-ready dict."""
    record: dict[str, Any] = Section(note, (), "", 0, 0).as_record()["note"]
    return record


def note_of(record: dict[str, Any]) -> Note:
    """The note of a dict made by `note_record` and read back from JSON."""
    line = {"note": record, "heading": [], "text": "", "start": 0, "end": 0}
    return Section.from_record(line).note


def write(folder: Path, contents: Contents) -> None:
    """Write the copy into a version's folder. May raise OSError."""
    import numpy as np

    notes: dict[Note, int] = {}
    rows = []
    for chunk in contents.chunks:
        number = notes.setdefault(chunk.note, len(notes))
        rows.append([chunk.id, number, chunk.heading, chunk.text, chunk.start, chunk.end])
    text = json.dumps(
        {"notes": list(map(note_record, notes)), "hashes": contents.hashes, "chunks": rows},
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode("utf-8", "surrogatepass")
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(contents.vectors, dtype=np.float32))
    array = buffer.getbuffer()
    (folder / CHUNKS).write_bytes(text)
    (folder / VECTORS).write_bytes(array)
    check = {"chunks": len(rows), CHUNKS: zlib.crc32(text), VECTORS: zlib.crc32(array)}
    replace(folder / CHECK, json.dumps(check).encode())


def read(folder: Path, chunks: int) -> Contents | None:
    """The copy in a version's folder, or None where it is missing or damaged."""
    import numpy as np

    try:
        check = json.loads((folder / CHECK).read_bytes())
        text, array = (folder / CHUNKS).read_bytes(), (folder / VECTORS).read_bytes()
        if check != {"chunks": chunks, CHUNKS: zlib.crc32(text), VECTORS: zlib.crc32(array)}:
            return None
        vectors = np.load(io.BytesIO(array))
        found = json.loads(text.decode("utf-8", "surrogatepass"))
    except (OSError, ValueError):
        return None
    notes = [note_of(record) for record in found["notes"]]
    return Contents(
        [
            Chunk(id_, notes[number], tuple(heading), text, start, end)
            for id_, number, heading, text, start, end in found["chunks"]
        ],
        vectors,
        found["hashes"],
    )
