"""The transport over real sockets, against servers that answer well and badly."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scifi_llm.openai_api import async_client
from scifi_llm.rag.proxy.transport import Transport

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
Step = bytes | float | str


class Server:
    """Plays one script a request: bytes to send, seconds to wait, `close`, `abort`."""

    def __init__(self, scripts: list[list[Step]]) -> None:
        self.scripts = scripts
        self.received: list[bytes] = []
        self.connections = 0
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(line[15:]) for line in head.lower().split(b"\r\n")
                               if line.startswith(b"content-length:")), 0)  # fmt: skip
                self.received.append(head + await reader.readexactly(length))
            except (asyncio.IncompleteReadError, ConnectionError):
                self.gone.set()
                writer.close()
                return
            for step in self.scripts.pop(0):
                await self.play(step, writer)
            if writer.is_closing():
                return

    async def play(self, step: Step, writer: asyncio.StreamWriter) -> None:
        if isinstance(step, float):
            await asyncio.sleep(step)
        elif step == "close":
            writer.close()
        elif step == "abort":  # with a reset, as of a process that was killed
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        elif isinstance(step, bytes):
            writer.write(step)


@asynccontextmanager
async def served(*scripts: list[Step]) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    server = Server(list(scripts))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with async_client(Transport()) as client:
        client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
        yield server, client
    listening.close()


async def pieces(response: httpx.Response) -> list[bytes]:
    return [piece async for piece in response.aiter_raw()]


async def test_what_is_sent_is_what_httpx_would_send() -> None:
    async with served([OK]) as (server, client):
        response = await client.post("/v1/x?a=%20b", content=b"body", headers={"x-a": "ü".encode()})
        assert (response.status_code, response.content) == (200, b"hi")
        sent = server.received[0]
        assert sent.startswith(b"POST /v1/x?a=%20b HTTP/1.1\r\n")
        assert sent.endswith(b"\r\n\r\nbody")
        assert b"\r\nx-a: \xc3\xbc\r\n" in sent
        assert b"\r\nContent-Length: 4\r\n" in sent
        assert sent.lower().count(b"\r\nhost: 127.0.0.1:") == 1


@pytest.mark.parametrize(
    ("script", "body"),
    [
        ([OK], b"hi"),
        ([CHUNKED + b"2\r\nhi\r\n", 0.01, b"1\r\n!\r\n0\r\n\r\n"], b"hi!"),
        ([b"HTTP/1.1 200 OK\r\n\r\nuntil the end", "close"], b"until the end"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" + OK], b"hi"),
        ([b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", 0.01, OK], b"hi"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
        ([b"HTTP/1.1 2", 0.01, b"00 OK\r\nconte", 0.01, b"nt-length: 2\r\n\r\nh", b"i"], b"hi"),
        ([b"HTTP/1.0 200 OK\r\n\r\nold", "close"], b"old"),
    ],
)  # fmt: skip
async def test_bodies_of_every_framing(script: list[Step], body: bytes) -> None:
    async with served(script) as (_, client):
        assert (await client.get("/")).content == body


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), st.data())
async def test_any_cut_of_the_bytes_gives_the_same_body(parts: list[bytes], data: Any) -> None:
    whole = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    bounds = [0, *cuts, len(whole)]
    script: list[Step] = []
    for start, end in pairwise(bounds):
        script += [whole[start:end], 0.001]
    async with served(script) as (_, client):
        assert (await client.get("/")).content == b"".join(parts)


async def test_what_arrived_is_handed_out_before_the_rest_comes() -> None:
    script: list[Step] = [CHUNKED + b"5\r\nfirst\r\n", 30.0]
    async with served(script) as (_, client), client.stream("GET", "/") as response:
        assert await anext(response.aiter_raw()) == b"first"


async def test_a_connection_is_used_again_after_a_whole_answer_only() -> None:
    async with served([OK], [OK], [OK + b"stray"], [OK]) as (server, client):
        for _ in range(4):
            assert (await client.get("/")).content == b"hi"
        assert server.connections == 2
    close = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"
    async with served([close], [close]) as (server, client):
        for _ in range(2):
            assert (await client.get("/")).content == b"hi"
        assert server.connections == 2


async def test_no_timer_of_an_answered_request_lives_on(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, made = asyncio.get_running_loop(), []
    call_later = loop.call_later

    def recorded(*arguments: Any, **more: Any) -> asyncio.TimerHandle:
        made.append(call_later(*arguments, **more))
        return made[-1]

    monkeypatch.setattr(loop, "call_later", recorded)
    async with served(*[[0.01, OK]] * 20) as (server, client):
        for _ in range(20):
            await client.get("/")
        assert server.connections == 1
        assert len(made) >= 20
        # The one that closes the idle connection.
        assert len([timer for timer in made if not timer.cancelled()]) == 1


async def test_the_answer_to_head_has_no_body_and_does_not_shift_the_next() -> None:
    headers = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
    async with served([headers], [OK]) as (_, client):
        head = await client.head("/")
        assert (head.headers["content-length"], head.content) == ("5", b"")
        assert (await client.get("/")).content == b"hi"


async def test_an_idle_connection_that_the_server_closed_is_replaced() -> None:
    async with served([OK], ["close"], [OK]) as (server, client):
        assert (await client.get("/")).content == b"hi"
        assert (await client.post("/", content=b"again")).content == b"hi"
        assert server.received[1] == server.received[2]


async def test_a_server_that_is_slow_is_not_asked_twice() -> None:
    async with served([OK], [30.0]) as (server, client):
        client.timeout = httpx.Timeout(0.2)
        assert (await client.get("/")).content == b"hi"
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/")
        assert len(server.received) == 2


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (["close"], httpx.RemoteProtocolError),
        (["abort"], httpx.ReadError),
        ([b"HTTP/1.1 200 OK\r\ncontent-le", "close"], httpx.RemoteProtocolError),
        ([b"<html>no HTTP</html>"], httpx.RemoteProtocolError),
        ([b"\x00\xff" * 50], httpx.RemoteProtocolError),
        ([b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000], httpx.RemoteProtocolError),
        ([b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
         httpx.RemoteProtocolError),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi", "close"], httpx.RemoteProtocolError),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nhi"], httpx.RemoteProtocolError),
        ([CHUNKED + b"zz\r\nhi"], httpx.RemoteProtocolError),
        ([CHUNKED + b"2\r\nhi\r\n", "close"], httpx.RemoteProtocolError),
        ([CHUNKED + b"2\r\nhi\r\n", 0.02, "abort"], httpx.ReadError),
        ([30.0], httpx.ReadTimeout),
        ([CHUNKED + b"2\r\nhi\r\n", 30.0], httpx.ReadTimeout),
    ],
)  # fmt: skip
async def test_each_failure_is_the_error_that_httpx_has_for_it(
    script: list[Step], error: type[Exception]
) -> None:
    async with served(script) as (_, client):
        client.timeout = httpx.Timeout(0.2)
        with pytest.raises(error):
            await client.get("/")


async def test_what_came_before_a_failure_is_handed_out() -> None:
    script: list[Step] = [CHUNKED + b"2\r\nhi\r\n" + b"2\r\nho\r\n", "close"]
    async with served(script) as (_, client), client.stream("GET", "/") as response:
        body = response.aiter_raw()
        assert await anext(body) == b"hiho"
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(body)


async def test_a_slow_reader_is_not_a_slow_server() -> None:
    async with served([CHUNKED + b"2\r\nhi\r\n", 0.3, b"2\r\nho\r\n0\r\n\r\n"]) as (_, client):
        client.timeout = httpx.Timeout(0.2)
        async with client.stream("GET", "/") as response:
            await asyncio.sleep(0.35)
            assert b"".join(await pieces(response)) == b"hiho"


async def test_nobody_there(free_port: int) -> None:
    async with async_client(Transport()) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{free_port}/")


async def test_a_server_that_accepts_nothing_is_a_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        async with async_client(Transport()) as client:
            client.timeout = httpx.Timeout(5, connect=0.2)
            with pytest.raises(httpx.ConnectTimeout):
                await client.get(f"http://127.0.0.1:{address[1]}/")
        for filler in fillers:
            filler.close()


async def _first_byte(client: httpx.AsyncClient) -> None:
    await client.get("/")


async def _mid_stream(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/") as response:
        await pieces(response)


@pytest.mark.parametrize(
    ("script", "ask"),
    [([30.0], _first_byte), ([CHUNKED + b"2\r\nhi\r\n", 30.0], _mid_stream)],
)
async def test_giving_up_closes_the_connection_at_once(
    script: list[Step], ask: Callable[[httpx.AsyncClient], Awaitable[None]]
) -> None:
    async with served([*script]) as (server, client):
        server.scripts[0] = []  # the wait is the server's reading: it sees the end
        if script[0] != 30.0:
            server.scripts[0] = [script[0]]
        task = asyncio.create_task(ask(client))
        while not server.received:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait_for(server.gone.wait(), 10)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_fast_server_waits_for_a_slow_client() -> None:
    big = b"x" * 60_000
    script: list[Step] = [CHUNKED, *[b"%x\r\n%b\r\n" % (len(big), big)] * 400, b"0\r\n\r\n"]
    async with served(script) as (_, client), client.stream("GET", "/") as response:
        await asyncio.sleep(0.3)
        found = await pieces(response)
        assert max(map(len, found)) < 2_000_000  # of 24 MB: the rest waited in the socket
        assert b"".join(found) == big * 400


@pytest.mark.parametrize("value", ["a\r\nx-evil: 1", "a\nb", "a\0b"])
async def test_a_header_cannot_hold_a_line_end(value: str) -> None:
    async with served([OK]) as (server, client):
        with pytest.raises(httpx.LocalProtocolError):
            await client.get("/", headers={"x-a": value})
        assert server.received == []
