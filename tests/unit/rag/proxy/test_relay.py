"""Over real sockets: bytes pass as they come, and a client that goes away ends the upstream's work.

Every wait is for an event of the other side; what would be held back would wait for ever.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn

from scifi_llm.openai_api import async_client
from scifi_llm.rag.proxy.app import create_app
from scifi_llm.rag.proxy.settings import ProxySettings

SECONDS = 30  # for what must come at once; far beyond what a busy machine needs
CHUNK = b'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "%s"}}]}\n\n'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass
class Script:
    """An upstream that sends what the test says, and tells when its client has gone."""

    requests: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    sends: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
                body = await reader.readexactly(int(length[0].split(b":")[1]) if length else 0)
                if b" /v1/chat/" not in head:
                    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}")
                    continue
                await self.requests.put(body)
                pump = asyncio.create_task(self.pump(writer))
                await reader.read(1)  # ends when the proxy closes the connection
                pump.cancel()
                break
        self.gone.set()
        writer.close()

    async def pump(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(await self.sends.get())
            await writer.drain()

    def chunk(self, data: bytes) -> None:
        self.sends.put_nowait(b"%x\r\n%s\r\n" % (len(data), data))


@asynccontextmanager
async def proxy(book: Any, port: int, **settings: Any) -> AsyncIterator[str]:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    config = ProxySettings("novel", f"http://127.0.0.1:{port}/v1", **settings)
    app = create_app(config, book, async_client())
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def script() -> AsyncIterator[tuple[Script, int]]:
    made = Script()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made, server.sockets[0].getsockname()[1]
    server.close()


def body(stream: bool, **rag: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Who is Elena ?"}]
    return {"model": "small", "messages": messages, "stream": stream, "rag": rag}


@pytest.mark.parametrize("sources", ["field", "footer", "none"])
async def test_the_first_chunk_arrives_while_the_upstream_pauses(
    book: Any, script: tuple[Script, int], sources: str
) -> None:
    upstream, port = script
    upstream.sends.put_nowait(HEAD % b"text/event-stream")
    async with (
        proxy(book, port) as url,
        httpx.AsyncClient(timeout=SECONDS) as client,
        client.stream(
            "POST", f"{url}/v1/chat/completions", json=body(True, sources=sources)
        ) as answer,
    ):
        pieces = answer.aiter_raw()
        for text in (b"one", b"two"):
            upstream.chunk(CHUNK % text)
            assert await anext(pieces) == CHUNK % text  # nothing more is sent until this has come
        upstream.chunk(b"data: [DONE]\n\n")
        upstream.chunk(b"")
        rest = b"".join([piece async for piece in pieces])
        assert rest.endswith(b"data: [DONE]\n\n")
        assert (b'"rag"' in rest) is (sources != "none")
        assert (b"Canon consulted" in rest) is (sources == "footer")


@pytest.mark.parametrize("moment", ["before the head", "in the stream", "in a whole answer"])
async def test_a_client_that_goes_away_ends_the_upstreams_work(
    book: Any, script: tuple[Script, int], moment: str
) -> None:
    upstream, port = script
    content = json.dumps(body(moment == "in the stream")).encode()
    async with proxy(book, port) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content) + content
        )
        await asyncio.wait_for(upstream.requests.get(), SECONDS)
        if moment == "in the stream":
            upstream.sends.put_nowait(HEAD % b"text/event-stream")
            upstream.chunk(CHUNK % b"one")
            await asyncio.wait_for(reader.readuntil(b"one"), SECONDS)
        elif moment == "in a whole answer":
            upstream.sends.put_nowait(HEAD % b"application/json")
            upstream.chunk(b'{"id": ')
            await asyncio.sleep(0.05)
        assert not upstream.gone.is_set()
        writer.close()
        await asyncio.wait_for(upstream.gone.wait(), SECONDS)
