"""One connection to the upstream: a request goes out, the response's head and body come in."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

import httptools

HIGH_WATER = 256 * 1024  # bytes that wait for a slow client before reading stops
MAX_HEAD = 64 * 1024
Head = tuple[int, list[tuple[bytes, bytes]]]


class Lost(Exception):
    """No whole response. `kind`: timeout, garbage, short or closed; `began`: some of it came."""

    def __init__(self, kind: str, message: str, began: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.began = began


class Connection(asyncio.Protocol):
    """A socket and a parser. At most one request at a time, one reader of its body."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.waiter: asyncio.Future[None] | None = None
        self.asked = False
        self.reset()

    def reset(self) -> None:
        """Be ready for a response."""
        self.parser = httptools.HttpResponseParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.head: Head | None = None
        self.pieces: deque[bytes] = deque()
        self.held = 0
        self.head_bytes = 0
        self.began = self.complete = self.framed = self.paused = self.keep_alive = False
        self.error: Lost | None = None

    # What the transport calls.
    async def ask(self, message: bytes, headless: bool, seconds: float | None) -> Head:
        """Send a request and wait for the head of its response. Raises Lost.

        `headless`: the response has no body (HEAD). `seconds`: how long nothing may come.
        """
        self._stop_timer()
        self.reset()
        self.asked, self.headless, self.seconds = True, headless, seconds
        if self.transport is None or self.transport.is_closing():
            raise Lost("closed", "the connection was closed", False)
        self.transport.write(message)
        while self.head is None:
            await self._wait()
        return self.head

    async def read(self) -> bytes:
        """What has come of the body, b"" at its end. Raises Lost."""
        while not self.pieces and not self.complete:
            await self._wait()
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        self.pieces.clear()
        self.held = 0
        if self.paused and self.transport:
            self.paused = False
            self.transport.resume_reading()
        return data

    def reusable(self) -> bool:
        """Whether another request may be sent."""
        return (
            self.transport is not None
            and not self.transport.is_closing()
            and self.complete
            and not self.pieces
            and self.error is None
            and self.keep_alive
        )

    def close_after(self, seconds: float) -> None:
        """Close when nothing is asked for so long."""
        self._stop_timer()  # of the request: the loop would hold it, and all it knows, for minutes
        self.asked = False
        self.timer = self.loop.call_later(seconds, self.abort)

    def abort(self) -> None:
        """Close at once."""
        self._stop_timer()
        if self.transport is not None:
            self.transport.abort()

    # Waiting.
    async def _wait(self) -> None:
        """Until something changed; raises Lost, but only when all that came was handed out."""
        if self.error:
            raise self.error
        self.waiter = self.loop.create_future()
        self.since = self.loop.time()
        if self.timer is None and self.seconds is not None:
            self.timer = self.loop.call_later(self.seconds, self.check_time)
        try:
            await self.waiter
        finally:
            self.waiter = None

    def _wake(self) -> None:
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    def _fail(self, kind: str, message: str) -> None:
        self.error = self.error or Lost(kind, message, self.began)
        self._wake()

    def check_time(self) -> None:
        """One timer a response: moved on while data comes or nobody waits for any."""
        self.timer = None
        if self.waiter is None or self.seconds is None:
            return
        left = self.since + self.seconds - self.loop.time()
        if left > 0:
            self.timer = self.loop.call_later(left, self.check_time)
        else:
            self._fail("timeout", f"nothing came for {self.seconds:g} s")

    def _stop_timer(self) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None

    # What the event loop calls.
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if not self.asked or self.complete:
            self.abort()  # nothing was asked: whatever this is, it answers no request of ours
            return
        self.began = True
        if self.head is None:
            self.head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail("garbage", f"no HTTP came ({type(error).__name__})")
            self.abort()
            return
        if self.head is None and self.head_bytes > MAX_HEAD:
            self._fail("garbage", "the headers had no end")
            self.abort()
        if self.held > HIGH_WATER and not self.paused and self.transport:
            self.paused = True
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed by either side."""
        if self.asked and not self.complete:
            if self.head is not None and not self.framed and exc is None:
                self.complete = True  # such a body ends where the connection does
                self._wake()
            else:
                self._fail("short" if exc is None else "closed", "the connection was closed")
        self._stop_timer()

    # What the parser calls.
    def on_message_begin(self) -> None:
        """A second response to one request: the connection is not used again."""
        if self.complete:
            self.error = Lost("garbage", "more came than was asked for", True)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers.append((name, value))
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self.framed = True

    def on_headers_complete(self) -> None:
        """The head is whole; those of interim answers (1xx) are not what is waited for."""
        status = self.parser.get_status_code()
        if 100 <= status < 200:
            self.headers, self.framed = [], False
            return
        if self.complete:
            return
        self.head = (status, self.headers)
        self.keep_alive = self.parser.should_keep_alive()
        if self.headless or status in (204, 304):
            self.complete = True
        self._wake()

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self.complete:
            return
        self.pieces.append(data)
        self.held += len(data)
        self._wake()

    def on_message_complete(self) -> None:
        """The response is whole, unless it was an interim one."""
        if self.head is not None:
            self.complete = True
            self._wake()
