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

    Only what may be the beginning of the marker is held back: of a line that begins like it, never
    the line feed before. An event whose last byte were held back would reach its reader late.
    """

    def __init__(self, event: bytes) -> None:
        self._event = event
        self._held = b""
        self._line_begins = True  # with the first byte of what is held or comes next

    def feed(self, data: bytes) -> bytes:
        """Bytes to send on for the bytes that came."""
        if not self._event:
            return data
        buffer = self._held + data
        first = self._line_begins and buffer.startswith(DONE)
        at = 0 if first else buffer.find(b"\n" + DONE) + 1
        if at or first:
            event, self._event, self._held = self._event, b"", b""
            return buffer[:at] + event + buffer[at:]
        line = buffer.rfind(b"\n") + 1
        begins = line > 0 or self._line_begins
        end = line if begins and DONE.startswith(buffer[line:]) else len(buffer)
        self._held = buffer[end:]
        self._line_begins = begins and end == line
        return buffer[:end]

    def close(self) -> bytes:
        """What is still held when the stream ends without the marker."""
        return self._held if self._event else b""
