"""A collection made ready for search: its vectors, BM25, names and what the canon rules show."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..documents import Note
from . import store
from .canon import visible
from .chunking import Chunk
from .entities import Hit, Names
from .lexical import Lexical, fold

if TYPE_CHECKING:
    import numpy as np


class Corpus:
    """One version of a collection. Row i of every array is chunk `chunks[i]`, in document order."""

    def __init__(self, collection: store.Collection) -> None:
        self.manifest = collection.manifest
        self.name = collection.manifest.name
        self.chunks: list[Chunk] = [collection.chunks[id_] for id_ in collection.order]
        self.matrix: np.ndarray = collection.matrix
        self.rows_of: dict[str, list[int]] = {}
        for row, chunk in enumerate(self.chunks):
            self.rows_of.setdefault(chunk.note.path, []).append(row)
        self.notes: dict[str, Note] = {
            path: self.chunks[rows[0]].note for path, rows in self.rows_of.items()
        }
        self._paths_of: dict[str, list[str]] = {}
        for path, note in self.notes.items():
            for name in dict.fromkeys((fold(note.title), fold(Path(path).stem))):
                self._paths_of.setdefault(name, []).append(path)
        self.lexical = self._lexical(collection)
        self.names = Names(self.notes.values(), (chunk.text for chunk in self.chunks))
        self._row_of = {chunk.id: row for row, chunk in enumerate(self.chunks)}
        self._shown = lru_cache(maxsize=64)(self._visible)

    def _lexical(self, collection: store.Collection) -> Lexical:
        folder = collection.version.folder / "bm25"
        found = Lexical.load(folder, len(self.chunks))
        if found is None:
            found = Lexical.build(chunk.embedded for chunk in self.chunks)
            # Of a read-only or full disk, or a version just removed: it is only slower next time.
            with contextlib.suppress(OSError):
                found.save(folder)
        return found

    def shown(self, as_of: int | None, pov: str | None) -> np.ndarray:
        """Boolean array of shape (chunks,): what the rules let be seen. Do not write to it."""
        return self._shown(as_of, pov)

    def _visible(self, as_of: int | None, pov: str | None) -> np.ndarray:
        import numpy as np

        mask = np.ones(len(self.chunks), dtype=bool)
        for path, rows in self.rows_of.items():
            if not visible(self.notes[path], as_of, pov):
                mask[rows] = False
        return mask

    def titled(self, title: str) -> list[str]:
        """Paths of the notes with a title, in any spelling of case; a file's name does as well."""
        return self._paths_of.get(fold(title).strip(), [])

    def rows_of_keys(self, keys: frozenset[str]) -> list[int]:
        """Rows of the passages' keys that are of this collection."""
        start = len(self.name) + 1
        mine = (key[start:] for key in keys if key.startswith(f"{self.name}/"))
        return [self._row_of[id_] for id_ in mine if id_ in self._row_of]

    def named(self, weights: Mapping[Hit, float], shown: np.ndarray) -> dict[Hit, list[int]]:
        """For each name the rows of its notes that may be seen; names of hidden notes alone go."""
        found = {}
        for hit in weights:
            rows = [row for path in hit.paths for row in self.rows_of[path] if shown[row]]
            if rows:
                found[hit] = sorted(rows)
        return found
