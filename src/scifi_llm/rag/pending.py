"""Vectors that were computed but are not published yet, so that an interrupted run goes on.

One file of records: a hash of the embedded text, the vector, a checksum. A record that a kill cut
short ends what is read; the file is removed when its vectors are published.
"""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import numpy as np

_KEY, _CHECK = 16, 4
PREFIX = ".pending-"


class Pending:
    """The vectors of one model and backend in a collection's folder. Used within `with`.

    A disk that takes no more only ends the recording.
    """

    def __init__(self, folder: Path, model: str, dimension: int) -> None:
        name = hashlib.sha256(f"{model} {dimension}".encode()).hexdigest()[:12]
        self._folder = folder
        self._file = folder / f"{PREFIX}{name}"
        self._size = _KEY + 4 * dimension + _CHECK
        self._out: BinaryIO | None = None

    def load(self, texts: list[str]) -> dict[str, np.ndarray]:
        """The vectors there are for these texts. Others are dropped from the file."""
        import numpy as np

        wanted = {_key(text): text for text in texts}
        try:
            data = self._file.read_bytes()
        except OSError:
            return {}
        found, kept = {}, bytearray()
        for first in range(0, len(data) - self._size + 1, self._size):
            record = data[first : first + self._size]
            body, check = record[:-_CHECK], record[-_CHECK:]
            if zlib.crc32(body).to_bytes(_CHECK, "big") != check:
                break
            text = wanted.get(body[:_KEY])
            if text is not None and text not in found:
                found[text] = np.frombuffer(body[_KEY:], dtype="<f4").astype(np.float32)
                kept += record
        if len(kept) != len(data):
            with contextlib.suppress(OSError):
                self._file.write_bytes(kept)
        return found

    def add(self, text: str, vector: np.ndarray) -> None:
        """Record a vector, at the latest when the block ends; kill -9 loses what is in memory."""
        if self._out is None:
            return
        body = _key(text) + vector.astype("<f4").tobytes()
        try:
            self._out.write(body + zlib.crc32(body).to_bytes(_CHECK, "big"))
        except OSError:
            self._close()

    def remove(self) -> None:
        """Forget what is published, of earlier models too."""
        self._close()
        for file in self._folder.glob(f"{PREFIX}*"):
            file.unlink(missing_ok=True)

    def _close(self) -> None:
        out, self._out = self._out, None
        if out is not None:
            with contextlib.suppress(OSError):
                out.close()

    def __enter__(self) -> Pending:
        """Open the file for recording."""
        with contextlib.suppress(OSError):
            # A buffer of about 32 vectors: what a kill can lose.
            self._out = self._file.open("ab", buffering=32 * self._size)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is in memory, after Ctrl+C too."""
        self._close()


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:_KEY]
