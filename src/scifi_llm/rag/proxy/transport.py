"""An httpx transport for one plain-HTTP upstream, on asyncio and httptools.

httpx's own transport costs 1 ms a request and 0.1 ms a chunk on a slow core, which is most of what
a proxy costs; this one does a tenth. It speaks what a model server speaks: HTTP/1.1, bodies by
length, in chunks or until the connection closes. Everything else is httpx's, its errors included.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx

from .connection import Connection, Lost

# vLLM closes what was idle for 5 s. Ours must be the shorter time: a request that is sent on a
# connection at the moment when the other side closes it gets no answer.
IDLE_SECONDS = 3.0
MAX_IDLE = 64
BAD = (b"\r", b"\n", b"\0")
Address = tuple[str, int]


class Transport(httpx.AsyncBaseTransport):
    """Keep-alive connections to `http://` addresses, the one used last first."""

    def __init__(self) -> None:
        self.idle: dict[Address, list[Connection]] = {}
        self.used: set[Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the response comes with its body still to be read."""
        url = request.url
        address = (url.host, url.port or 80)
        timeout = request.extensions.get("timeout", {})
        message = request_bytes(request, await request.aread())
        # Where a connection that had lain idle is gone, the server closed it before it read us.
        connection = self.take(address)
        if connection is not None:
            try:
                return await self.exchange(connection, request, message, timeout.get("read"))
            except Lost as error:
                if error.began or error.kind == "timeout":
                    raise named(error, request) from None
        connection = await self.connect(address, request, timeout.get("connect"))
        try:
            return await self.exchange(connection, request, message, timeout.get("read"))
        except Lost as error:
            raise named(error, request) from None

    async def exchange(
        self, connection: Connection, request: httpx.Request, message: bytes, seconds: float | None
    ) -> httpx.Response:
        """Ask on `connection`, which is then the response's; raises Lost."""
        self.used.add(connection)
        try:
            status, headers = await connection.ask(message, request.method == "HEAD", seconds)
        except BaseException:
            self.drop(connection)
            raise
        return httpx.Response(
            status, headers=headers, stream=Body(self, connection, request), request=request
        )

    def take(self, address: Address) -> Connection | None:
        """An idle connection that is still open."""
        idle = self.idle.get(address)
        while idle:
            connection = idle.pop()
            if connection.reusable():
                return connection
        return None

    async def connect(
        self, address: Address, request: httpx.Request, seconds: float | None
    ) -> Connection:
        """A new connection."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, made = await loop.create_connection(lambda: Connection(address), *address)
        except TimeoutError:
            raise httpx.ConnectTimeout("no connection in time", request=request) from None
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from None
        return made

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose response was read whole; drop any other."""
        idle = self.idle.setdefault(connection.address, [])
        if not connection.reusable() or len(idle) >= MAX_IDLE:
            self.drop(connection)
            return
        self.used.discard(connection)
        idle.append(connection)
        connection.close_after(IDLE_SECONDS)

    def drop(self, connection: Connection) -> None:
        """Close a connection at once: the server sees it and stops what it was doing."""
        self.used.discard(connection)
        connection.abort()

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in [*self.used, *(c for idle in self.idle.values() for c in idle)]:
            connection.abort()
        self.used.clear()
        self.idle.clear()


class Body(httpx.AsyncByteStream):
    """The body of one response, as it comes; closing it before its end drops the connection."""

    def __init__(self, pool: Transport, connection: Connection, request: httpx.Request) -> None:
        self.pool, self.connection, self.request = pool, connection, request
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """What has arrived since the last time, in one piece."""
        read = self.connection.read
        try:
            while data := await read():
                yield data
        except Lost as error:
            raise named(error, self.request) from None

    async def aclose(self) -> None:
        """Give the connection back."""
        if not self.closed:
            self.closed = True
            self.pool.give_back(self.connection)


def request_bytes(request: httpx.Request, body: bytes) -> bytes:
    """The request as sent. Raises httpx.LocalProtocolError where a header holds a line end."""
    target = request.url.raw_path
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii"), target)]
    lines += [b"%b: %b" % pair for pair in request.headers.raw]
    if any(mark in line for line in lines for mark in BAD):
        raise httpx.LocalProtocolError("a line end in a header", request=request)
    return b"\r\n".join([*lines, b"", body])


def named(error: Lost, request: httpx.Request) -> httpx.HTTPError:
    """The error as httpx names it."""
    kinds: dict[str, type[httpx.TransportError]] = {
        "timeout": httpx.ReadTimeout,
        "garbage": httpx.RemoteProtocolError,
        "short": httpx.RemoteProtocolError,
    }
    return kinds.get(error.kind, httpx.ReadError)(str(error), request=request)
