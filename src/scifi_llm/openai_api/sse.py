"""Server-sent events: made, and put into a stream of bytes without re-making it."""

from __future__ import annotations

import json
from typing import Any

DONE = b"data: [DONE]"


def sse(data: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


class BeforeDone:
    """Inserts one event before `data: [DONE]` in a stream of bytes, wherever the bytes are cut.

    At most the 12 bytes that may be the beginning of the marker are held back.
    """

    def __init__(self, event: bytes) -> None:
        self._event = event
        self._held = b"\n"  # the marker counts at the start of a line only
        self._first = True

    def feed(self, data: bytes) -> bytes:
        """Bytes to send on for the bytes that came."""
        if not self._event:
            return data
        buffer = self._held + data
        marker = b"\n" + DONE
        at = buffer.find(marker)
        if at >= 0:
            out = buffer[: at + 1] + self._event + buffer[at + 1 :]
            self._event, self._held = b"", b""
        else:
            keep = next(
                (n for n in range(len(marker) - 1, 0, -1) if buffer.endswith(marker[:n])), 0
            )
            self._held = buffer[len(buffer) - keep :]
            out = buffer[: len(buffer) - keep]
        return self._without_start(out)

    def close(self) -> bytes:
        """What is still held when the stream ends without the marker."""
        return self._without_start(self._held) if self._event else b""

    def _without_start(self, out: bytes) -> bytes:
        if self._first and out:
            self._first = False
            return out[1:]
        return out
