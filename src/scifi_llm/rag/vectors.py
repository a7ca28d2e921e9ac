"""The vectors of a new version: taken over, gone on with after an interruption, or computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..console import log_ok
from . import store
from .chunking import Chunk
from .embedding import Embedder
from .pending import Pending

if TYPE_CHECKING:
    import numpy as np


class Vectors:
    """Vectors of chunks, filled one by one: `array` of shape (len(chunks), dimension), float32.

    Taken over are those of the present version, of chunks with the same embedded text wherever it
    stood, and those that an interrupted run has left in `folder`. `computed` counts the others.
    """

    def __init__(
        self,
        chunks: Sequence[Chunk],
        embedder: Embedder,
        previous: store.Collection | None,
        folder: Path,
    ) -> None:
        import numpy as np

        self.array = np.zeros((len(chunks), embedder.dimension), dtype=np.float32)
        self.computed = 0
        self._embedder, self._previous = embedder, previous
        self._pending = Pending(folder, embedder.name, embedder.dimension)
        self._rows: dict[str, list[int]] = {}
        for row, chunk in enumerate(chunks):
            self._rows.setdefault(chunk.embedded, []).append(row)

    def fill(self) -> Iterator[int]:
        """Fill the array; yields each row when it is."""
        known: dict[str, np.ndarray] = {}
        if self._previous is not None:
            for id_, row in self._previous.rows.items():
                known[self._previous.chunks[id_].embedded] = self._previous.matrix[row]
        resumed = self._pending.load([text for text in self._rows if text not in known])
        if resumed:
            log_ok(f"{len(resumed)} chunks were embedded by an interrupted run")
        known.update(resumed)
        for text in filter(known.__contains__, self._rows):
            yield from self._set(text, known[text])
        new = [text for text in self._rows if text not in known]
        self.computed = len(new)
        with self._pending:
            for number, vector in self._embedder.encode_each(new):
                self._pending.add(new[number], vector)
                yield from self._set(new[number], vector)

    def _set(self, text: str, vector: np.ndarray) -> list[int]:
        self.array[self._rows[text]] = vector
        return self._rows[text]

    def published(self) -> None:
        """Forget what an interrupted run would have gone on from."""
        self._pending.remove()
