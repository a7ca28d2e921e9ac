"""What the upstream's failures become, and how its bytes are relayed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from scifi_llm.openai_api import Upstream, UpstreamError, read_whole, relay
from scifi_llm.openai_api.sse import MAX_EVENT

Handler = Callable[[httpx.Request], Any]
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


class Body(httpx.AsyncByteStream):
    """Pieces, and then a break."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces, self.closed = pieces, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        raise httpx.ReadError("reset")

    async def aclose(self) -> None:
        self.closed = True


def upstream(handler: Handler, **more: Any) -> Upstream:
    client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
    return Upstream(client, "http://upstream/v1/", **more)


def fails(error: Exception) -> Handler:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    return handler


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (httpx.ConnectError("x"), 503, "Start vLLM with: ./serve_vllm.sh"),
        (httpx.ConnectTimeout("x"), 504, "took no connection within 5 s"),
        (httpx.ReadTimeout("x"), 504, "did not answer in time"),
        (httpx.ReadError("x"), 502, "broke off the connection (ReadError)"),
        (httpx.RemoteProtocolError("x"), 502, "(RemoteProtocolError)"),
    ],
)
async def test_failures_have_their_own_sentence_and_are_counted(
    error: Exception, status: int, sentence: str
) -> None:
    seen: list[int] = []
    made = upstream(fails(error), failed=seen.append)
    with pytest.raises(UpstreamError, match=r"\w") as caught:
        await made.send("POST", "chat/completions", {}, b"{}")
    assert caught.value.status == status
    assert sentence in caught.value.message
    assert seen == [status]
    assert await made.served_models() == []


async def test_a_web_page_is_a_failure_and_an_error_page_is_passed() -> None:
    page = {"content-type": "text/html"}
    with pytest.raises(UpstreamError, match="a web page"):
        await upstream(lambda _: httpx.Response(200, headers=page)).send("GET", "models", {}, b"")
    passed = upstream(lambda _: httpx.Response(404, headers=page))
    assert (await passed.send("GET", "models", {}, b"")).status_code == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b'{"data": 7}', b"[" * 100_000, b"<html>"])
async def test_a_list_of_models_that_is_none(body: bytes) -> None:
    assert await upstream(lambda _: httpx.Response(200, content=body)).served_models() == []


async def test_answers_are_timed_and_our_key_replaces_the_client_s() -> None:
    seen: list[httpx.Request] = []
    times: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"ok")

    made = upstream(handler, api_key="theirs", observe=times.append)
    response = await made.send("GET", "models", {"authorization": "Bearer x"}, b"", "a=%20b")
    assert await read_whole(response) == b"ok"
    assert seen[0].headers["authorization"] == "Bearer theirs"
    assert str(seen[0].url) == "http://upstream/v1/models?a=%20b"
    assert len(times) == 1


@pytest.mark.parametrize(
    "cut", [b"", b"da", b'data: {"choices": [{"del', b"data: {}", b"data: {}\n", b"\n"]
)
async def test_a_broken_stream_ends_with_an_error_event_before_any_end(cut: bytes) -> None:
    body = Body(b"data: {}\n\n", b'data: {"a": 1}\n\n' + cut[:9], cut[9:])
    response = httpx.Response(200, headers=EVENTS, stream=body)
    found = b"".join([piece async for piece in relay(response, b"data: ours\n\n")])
    first, second, error, rest = found.replace(b"\n\n\n", b"\n\n").split(b"\n\n")
    assert (first, second, rest) == (b"data: {}", b'data: {"a": 1}', b"")
    assert json.loads(error.removeprefix(b"data: "))["error"]["message"].startswith("vLLM broke")
    assert body.closed


async def test_an_event_that_was_too_long_to_hold_is_ended_before_the_error() -> None:
    body = Body(b"data: " + b"x" * (MAX_EVENT + 1))
    response = httpx.Response(200, headers=EVENTS, stream=body)
    found = b"".join([piece async for piece in relay(response)])
    assert b'x\n\ndata: {"error"' in found


async def test_a_stream_that_ends_in_the_middle_keeps_its_last_bytes() -> None:
    cut = b"data: {}\n\ndata: [DO"
    response = httpx.Response(200, headers=EVENTS, stream=httpx.ByteStream(cut))
    assert b"".join([piece async for piece in relay(response, b"data: ours\n\n")]) == cut


async def test_the_broken_rest_of_anything_else_is_an_error() -> None:
    body = Body(b'{"a"')
    response = httpx.Response(200, headers={"content-type": "application/json"}, stream=body)
    pieces = relay(response)
    assert await anext(pieces) == b'{"a"'
    with pytest.raises(UpstreamError, match="broke off the answer"):
        await anext(pieces)
    assert body.closed
    with pytest.raises(UpstreamError, match="broke off the answer"):
        await read_whole(httpx.Response(200, stream=Body(b"x")))


async def test_leaving_a_stream_closes_it() -> None:
    body = Body(b"data: {}\n\n")
    pieces = relay(httpx.Response(200, headers=EVENTS, stream=body))
    await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    assert body.closed
