"""What passes the gate and what it adds, over small applications of its own and the real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scifi_llm.openai_api import UpstreamError
from scifi_llm.rag.passages import Found, Passage, SearchRequest
from scifi_llm.rag.proxy.app import create_app
from scifi_llm.rag.proxy.gate import Gate
from scifi_llm.rag.proxy.guard import Guard
from scifi_llm.rag.proxy.metrics import Metrics
from scifi_llm.rag.proxy.security import Door
from scifi_llm.rag.proxy.settings import ProxySettings

App = Callable[[Any, Any, Any], Awaitable[None]]
SSE = [(b"content-type", b"text/event-stream")]


def start(headers: Any = (), status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def piece(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


class Client:
    """A client that sends a body, reads what comes, and may leave."""

    def __init__(self, *bodies: bytes, method: str = "POST", **headers: str) -> None:
        self.bodies, self.left = list(bodies), asyncio.Event()
        self.got: list[dict[str, Any]] = []
        named = {"host": "localhost", **headers}
        self.scope: dict[str, Any] = {
            "type": "http",
            "method": method,
            "path": "/v1/chat/completions",
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in named.items()],
        }

    async def receive(self) -> dict[str, Any]:
        if self.bodies:
            data = self.bodies.pop(0)
            return {"type": "http.request", "body": data, "more_body": bool(self.bodies)}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.got.append(message)

    async def ask(self, gate: Gate) -> None:
        await gate(self.scope, self.receive, self.send)

    @property
    def status(self) -> int:
        found: int = self.got[0]["status"]
        return found

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.got[1:])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.got[0]["headers"])


def gate(app: App, key: str = "", **limits: Any) -> Gate:
    return Gate(app, Door(Guard(**limits), key), Metrics())


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = (await receive())["body"]
    seen = {k.decode(): v.decode() for k, v in scope["headers"]}
    await send(start([(b"access-control-allow-origin", b"*")]))
    await send(piece(json.dumps([body.decode(), seen]).encode(), more=False))


async def test_a_body_in_pieces_arrives_whole_and_ids_are_given() -> None:
    client = Client(b"a", b"b", b"")
    await client.ask(gate(echo))
    body, seen = json.loads(client.body)
    assert body == "ab"
    assert seen["x-request-id"] == client.headers[b"x-request-id"].decode() != ""
    assert client.headers[b"x-content-type-options"] == b"nosniff"
    assert b"access-control-allow-origin" not in client.headers  # the upstream's is not ours


@pytest.mark.parametrize(("given", "kept"), [("abc-1", True), ("a b", False), ("x" * 200, False)])
async def test_a_request_id_is_kept_where_it_is_usable(given: str, kept: bool) -> None:
    client = Client(b"", x_request_id=given)
    await client.ask(gate(echo))
    assert (json.loads(client.body)[1]["x-request-id"] == given) is kept


async def test_our_key_goes_no_further() -> None:
    client = Client(b"", authorization="Bearer ours", x_api_key="ours", x_other="kept")
    await client.ask(gate(echo, "ours"))
    seen = json.loads(client.body)[1]
    assert "ours" not in seen.values()
    assert seen["x-other"] == "kept"
    theirs = Client(b"", authorization="Bearer theirs")
    await theirs.ask(gate(echo))
    assert json.loads(theirs.body)[1]["authorization"] == "Bearer theirs"
    without = Client(b"")
    await without.ask(gate(echo, "ours"))
    assert (without.status, without.headers[b"www-authenticate"]) == (401, b"Bearer")


async def test_pages_of_configured_origins() -> None:
    made = gate(echo, origins=("http://x.example",))
    client = Client(b"", origin="http://x.example")
    await client.ask(made)
    assert client.headers[b"access-control-allow-origin"] == b"http://x.example"
    asking = Client(b"", method="OPTIONS", origin="http://x.example",
                    access_control_request_method="POST")  # fmt: skip
    await asking.ask(made)
    assert asking.status == 204
    assert asking.headers[b"access-control-allow-origin"] == b"http://x.example"


async def test_limits() -> None:
    async def never(*_: Any) -> None:
        raise AssertionError("it is asked nothing")

    large = Client(b"x" * 6, b"y" * 6, b"")
    await large.ask(gate(never, max_body=10))
    told = Client(b"", content_length="11")
    await told.ask(gate(never, max_body=10))
    slow = Client()
    await slow.ask(gate(never, body_seconds=0.02))
    assert [client.status for client in (large, told, slow)] == [413, 413, 408]
    assert {client.headers[b"connection"] for client in (large, told, slow)} == {b"close"}
    just = Client(b"x" * 10)
    await just.ask(gate(echo, max_body=10))
    assert just.status == 200


async def test_a_client_that_leaves_ends_the_work() -> None:
    ended = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    made, client = gate(waits), Client(b"")
    asking = asyncio.create_task(client.ask(made))
    await asyncio.sleep(0.01)
    client.left.set()
    await asyncio.wait_for(asking, 10)
    assert ended.is_set()
    assert client.got == []
    assert made.running == set()
    assert b"rag_proxy_disconnects_total 1.0" in made.metrics.text()


async def test_a_client_that_leaves_while_it_sends() -> None:
    made, client = gate(echo), Client()
    client.left.set()
    await client.ask(made)
    assert client.got == []


async def test_draining_refuses_what_is_new_and_ends_what_runs_on() -> None:
    async def streams(scope: Any, receive: Any, send: Any) -> None:
        await send(start(SSE))
        await send(piece(b"data: {}\n\n"))
        await asyncio.sleep(3600)

    made, client, late = gate(streams, drain_seconds=0.05), Client(b""), Client(b"")
    asking = asyncio.create_task(client.ask(made))
    await asyncio.sleep(0.01)
    made.drain()
    await late.ask(made)
    await asyncio.wait_for(asking, 10)
    assert late.status == 503
    assert client.body.startswith(b'data: {}\n\n\n\ndata: {"error": ')
    assert client.got[-1].get("more_body", False) is False
    assert b"rag_proxy_active_streams 0.0" in made.metrics.text()


async def test_a_client_that_reads_nothing_is_ended() -> None:
    class Stuck(Client):
        async def send(self, message: dict[str, Any]) -> None:
            await asyncio.sleep(3600)

    made = gate(echo, stall_seconds=0.01)
    made.sweep_seconds = 0.02
    await asyncio.wait_for(Stuck(b"").ask(made), 10)


async def test_bugs_and_broken_answers() -> None:
    async def bug(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("a bug")

    async def torn(scope: Any, receive: Any, send: Any) -> None:
        await send(start([(b"content-length", b"9")]))
        await send(piece(b"abc"))
        raise RuntimeError("began") from UpstreamError(502, "It broke off.")

    first, second = Client(b"", x_request_id="r1"), Client(b"")
    await first.ask(gate(bug))
    assert first.status == 500
    assert json.loads(first.body)["error"]["message"].endswith("its log has request r1.")
    await second.ask(gate(torn))
    assert second.body == b"abc"
    assert second.got[-1]["more_body"] is True  # never completed: the server closes it


class Nothing:
    root = Path("/nonexistent")

    def search(self, request: SearchRequest) -> Found:
        return Found("", [])

    def always(self, request: SearchRequest) -> list[Passage]:
        return []


async def test_the_application_answers_in_openai_s_form() -> None:
    def upstream(request: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    app = create_app(
        ProxySettings("novel", "http://upstream/v1", state=None),
        Nothing(),
        httpx.AsyncClient(transport=httpx.MockTransport(upstream)),
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for method, path, status in (
            ("GET", "/nothing", 404),
            ("DELETE", "/rag/search", 405),
            ("GET", "/v1/models", 500),
        ):
            response = await client.request(method, path)
            assert response.status_code == status
            assert response.json()["error"]["code"] == status
        assert response.headers["x-request-id"] in response.json()["error"]["message"]
        assert 'status="405"' in (await client.get("/metrics")).text


@pytest.mark.parametrize("wanted", [False, True])
async def test_the_log_holds_texts_where_it_is_asked_to(
    caplog: pytest.LogCaptureFixture, wanted: bool
) -> None:
    caplog.set_level("DEBUG", logger="scifi_llm")
    client = Client(b'{"messages": "the secret"}', authorization="Bearer KEY")
    await client.ask(gate(echo, log_text=wanted))
    told = caplog.text + str([vars(record) for record in caplog.records])
    assert ("the secret" in told) is wanted
    assert "KEY" not in told
    assert "POST /v1/chat/completions" in caplog.text
