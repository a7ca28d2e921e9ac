"""A relay in front of a server that passes bytes both ways and keeps the bodies of requests."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Recorder:
    """Bodies of the requests to `path`, in the order of their coming, as they were on the wire."""

    def __init__(self, upstream: str, path: str = "/v1/chat/completions") -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._path = path.encode()
        self.bodies: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            there, back = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        answer = asyncio.create_task(self._pump(there, writer))
        try:
            await self._requests(reader, back)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            answer.cancel()
            for end in (back, writer):
                with suppress(ConnectionError):
                    end.close()

    async def _requests(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = _LENGTH.search(head)
            body = await reader.readexactly(int(found[1])) if found else b""
            if head.split(b" ")[1].startswith(self._path):
                self.bodies.append(body)
            back.write(head + body)
            await back.drain()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """A recorder in front of `upstream`, listening on 127.0.0.1 at its `port`."""
    recorder, ready = Recorder(upstream), threading.Event()
    loop, over = asyncio.new_event_loop(), asyncio.Event()

    async def listen() -> None:
        server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
        recorder.port = server.sockets[0].getsockname()[1]
        ready.set()
        await over.wait()
        server.close()

    def work() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:  # it cancels what is left
            runner.run(listen())

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    try:
        yield recorder
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
