"""Server-sent events: made, and put into a stream of bytes without re-making it."""

from __future__ import annotations

import json
from typing import Any

DONE = b"data: [DONE]"
MAX_EVENT = 4_000_000  # bytes; what is longer without an end passes as it comes
ENDS = (b"\n\n", b"\n\r\n", b"\r\r")


def sse(data: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


class WholeEvents:
    """Lets the events of a stream of bytes pass as soon as each is whole, and holds back the rest.

    A stream that breaks off then leaves no half event. `torn` where one had to be sent: it was
    longer than MAX_EVENT.
    """

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._seam = b""  # the last bytes of a begun event: its end may lie across what is cut
        self.torn = False

    def feed(self, data: bytes) -> bytes:
        """Bytes to send on for the bytes that came."""
        text = self._seam + data
        if text.endswith(b"\n\n"):
            end = len(data)
        else:
            ends = (text.rfind(mark) + len(mark) for mark in ENDS if mark in text)
            end = max(ends, default=0) - len(self._seam)
        if end <= 0:
            self._begun(data)
            return self.close() if self.torn else b""
        out = b"".join([*self._held, data[:end]]) if self._held else data[:end]
        self._held, self._size, self._seam, self.torn = [], 0, b"", False
        if end < len(data):
            self._begun(data[end:])
        return out

    def _begun(self, data: bytes) -> None:
        self._held.append(data)
        self._size += len(data)
        self._seam = (self._seam + data)[-2:]
        self.torn = self.torn or self._size > MAX_EVENT

    def close(self) -> bytes:
        """What is still held when the stream ends."""
        out = b"".join(self._held)
        self._held, self._size = [], 0
        return out


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
