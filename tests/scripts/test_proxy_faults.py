"""The proxy as a process, with real sockets: what goes wrong before it, behind it and in it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scifi_llm.rag.bench.processes import free_port

REPO = Path(__file__).resolve().parents[2]
PROXY = REPO / "tests" / "scripts" / "proxy_process.py"
LIMITS = {"RAG_HEAD_SECONDS": "1", "RAG_BODY_SECONDS": "1", "RAG_MAX_BODY_MB": "1"}


def wait_for(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def process(*command: str | int, log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python program that listens on the port that is its first argument."""
    environment = {**os.environ, "PYTHONPATH": str(REPO / "src"), **env}
    with log.open("wb") as out:
        made = subprocess.Popen(
            [sys.executable, *map(str, command)], env=environment, stdout=out, stderr=out
        )
    port = next(int(part) for part in command if isinstance(part, int))
    try:
        wait_for(lambda: made.poll() is not None or listens(port), "the start")
        assert made.poll() is None, log.read_text()
        yield made
    finally:
        made.kill()
        made.wait()


@contextmanager
def mock_upstream(folder: Path) -> Iterator[int]:
    port = free_port()
    with process("-m", "scifi_llm.rag.bench.upstream", port, log=folder / "upstream.log"):
        yield port


class Proxy:
    """A proxy before a mock upstream."""

    def __init__(self, port: int, upstream: int, made: subprocess.Popen[bytes], log: Path) -> None:
        self.port, self.upstream, self.process, self.log = port, upstream, made, log
        self.url = f"http://127.0.0.1:{port}"

    def open_at_upstream(self) -> int:
        """Connections that the upstream has, without the one that asks."""
        found: int = httpx.get(f"http://127.0.0.1:{self.upstream}/count").json()["open"]
        return found - 1

    def metric(self, line: str) -> float:
        """The value of a line of /metrics."""
        text = httpx.get(f"{self.url}/metrics").text
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        assert found, f"{line} is not in\n{text}"
        return float(found[1])


@contextmanager
def proxy_before(upstream: int, folder: Path, **env: str) -> Iterator[Proxy]:
    port, log = free_port(), folder / f"proxy-{upstream}.log"
    with process(PROXY, port, f"http://127.0.0.1:{upstream}/v1", log=log, **env) as made:
        yield Proxy(port, upstream, made, log)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mock_upstream(tmp_path_factory.mktemp("upstream")) as port:
        yield port


@pytest.fixture(scope="module")
def proxy(upstream: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with proxy_before(upstream, tmp_path_factory.mktemp("proxy"), **LIMITS) as made:
        yield made


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=proxy.url, timeout=30) as made:
        yield made


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "mock", "messages": [{"role": "user", "content": text}], **more}


async def ask(client: httpx.AsyncClient, text: str, **more: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", json=chat(text, **more))


def raw_request(body: bytes, headers: str = "", path: str = "/v1/chat/completions") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def exchange(port: int, *parts: bytes | float, seconds: float = 20) -> bytes:
    """Send bytes and wait between them; everything that comes until the other side closes."""
    with socket.create_connection(("127.0.0.1", port)) as made:
        made.settimeout(seconds)
        for part in parts:
            if isinstance(part, float):
                time.sleep(part)
            else:
                made.sendall(part)
        found = b""
        while data := made.recv(65536):
            found += data
        return found


def events(text: str) -> list[Any]:
    lines = [line[6:] for line in text.split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


# Behind it.
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["close", "garbage", "half"])
async def test_an_upstream_without_an_answer_is_a_502(
    client: httpx.AsyncClient, fault: str, stream: bool
) -> None:
    response = await ask(client, f"fault:{fault} w1", stream=stream)
    assert response.status_code == 502
    error = response.json()["error"]
    assert (error["type"], error["code"]) == ("upstream_error", 502)
    assert "broke off the connection" in error["message"]


async def test_an_answer_that_ends_too_early_is_a_502(client: httpx.AsyncClient) -> None:
    response = await ask(client, "fault:short w1")
    assert response.status_code == 502
    assert "broke off the answer" in response.json()["error"]["message"]


async def test_a_passed_through_answer_that_ends_too_early_is_not_whole(
    client: httpx.AsyncClient,
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post("/v1/responses", json=chat("fault:short w1"))


async def test_what_comes_after_an_answer_is_no_part_of_the_next(
    client: httpx.AsyncClient,
) -> None:
    assert (await ask(client, "fault:long w1", rag={"sources": "none"})).json() == {}
    answer = (await ask(client, "w2")).json()
    assert answer["choices"][0]["message"]["content"] == "w2"


async def test_a_web_page_is_no_answer_of_a_model(client: httpx.AsyncClient) -> None:
    response = await ask(client, "fault:html w1")
    assert response.status_code == 502
    assert "a web page" in response.json()["error"]["message"]


async def test_a_stream_that_dies_ends_with_an_error_event(client: httpx.AsyncClient) -> None:
    response = await ask(client, "die:5 w7", stream=True)
    found = events(response.text)
    assert response.status_code == 200
    assert [event["choices"][0]["delta"]["content"] for event in found[:-1]] == [
        f"w7.{n} " for n in range(5)
    ]
    assert found[-1]["error"]["code"] == 502
    assert "[DONE]" not in found


@pytest.mark.parametrize("sources", ["field", "footer"])
async def test_a_stream_that_dies_within_an_event_gives_whole_events(
    client: httpx.AsyncClient, sources: str
) -> None:
    response = await ask(client, "tear:5 w8", stream=True, rag={"sources": sources})
    *blocks, rest = response.text.split("\n\n")
    assert rest == ""
    found = [json.loads(block.removeprefix("data: ")) for block in blocks]
    assert [event["choices"][0]["delta"]["content"] for event in found[:-1]] == [
        f"w8.{n} " for n in range(5)
    ]
    assert found[-1]["error"]["code"] == 502


async def test_nobody_there_names_the_command(tmp_path: Path) -> None:
    with proxy_before(free_port(), tmp_path) as alone:
        for stream in (False, True):
            response = httpx.post(f"{alone.url}/v1/chat/completions", json=chat("w", stream=stream))
            assert response.status_code == 503
            assert response.json()["error"]["message"].endswith(
                f":{alone.upstream}/v1. Start vLLM with: ./serve_vllm.sh"
            )
        assert httpx.get(f"{alone.url}/health").json()["upstream"]["status"] == "down"
        assert httpx.get(f"{alone.url}/v1/models").status_code == 503
        assert alone.metric('rag_proxy_upstream_failures_total{status="503"}') >= 3


# In it.
async def test_a_search_that_fails_or_hangs_stops_no_answer(client: httpx.AsyncClient) -> None:
    for text in ("search:locked w1", "search:slow w1"):
        response = await ask(client, text)
        assert (response.status_code, response.headers["x-rag-status"]) == (200, "degraded")
        assert response.json()["choices"][0]["message"]["content"] == "w1"


@pytest.mark.parametrize("text", ["pause:30 w1", "gap:30 w1", "search:slow w1"])
async def test_a_client_that_leaves_ends_the_work_at_once(proxy: Proxy, text: str) -> None:
    before = proxy.metric("rag_proxy_disconnects_total")
    made = socket.create_connection(("127.0.0.1", proxy.port))
    made.sendall(raw_request(json.dumps(chat(text, stream=True)).encode()))
    wait_for(lambda: proxy.metric("rag_proxy_active_requests") == 2, "the request")
    if "search" not in text:
        wait_for(lambda: proxy.open_at_upstream() >= 1, "the request to the upstream")
    made.close()
    wait_for(lambda: proxy.metric("rag_proxy_disconnects_total") == before + 1, "the end")
    wait_for(lambda: proxy.metric("rag_proxy_active_requests") == 1, "the end")
    wait_for(lambda: proxy.open_at_upstream() == 0, "the upstream's end")


async def test_two_hundred_clients_at_once_get_their_own_answers(proxy: Proxy) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=proxy.url, timeout=60, limits=limits) as many:
        answers = await asyncio.gather(
            *(ask(many, f"gap:0.01 u{n}", stream=n % 2 == 0) for n in range(200))
        )
    for n, answer in enumerate(answers):
        assert answer.status_code == 200
        if n % 2:
            assert answer.json()["choices"][0]["message"]["content"] == f"u{n}"
        else:
            pieces = [e["choices"][0]["delta"]["content"] for e in events(answer.text)[:-2]]
            assert pieces == [f"u{n}.{i} " for i in range(32)]
    assert proxy.metric("rag_proxy_active_streams") == 0


# Before it.
@pytest.mark.parametrize("headers", ["", "transfer-encoding: chunked\r\n"])
def test_a_body_that_is_too_large_is_refused(proxy: Proxy, headers: str) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n{headers}"
    big = b"x" * 1_100_000
    if headers:
        sent = head.encode() + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(big), big)
    else:
        sent = head.encode() + b"content-length: 99999999999\r\n\r\n"
    found = exchange(proxy.port, sent)
    assert found.startswith(b"HTTP/1.1 413 ")
    error = json.loads(found.partition(b"\r\n\r\n")[2])["error"]
    assert error["message"].startswith("The body is larger than 1 MB.")
    assert error["code"] == 413


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((b"",), b""),  # a connection on which nothing comes is closed
        ((b"POST /v1/chat/completions HTTP/1.1\r\nhost: loc",), b"HTTP/1.1 408"),
        ((b"GET / HTTP/1.1\r\n", 0.4, b"a: b\r\n", 0.4, b"c: d\r\n"), b"HTTP/1.1 408"),
        ((b"\r\n", 0.2, b"\r\n"), b"HTTP/1.1 408"),
        ((b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nabc",), b"HTTP/1.1 408"),
        ((b"GET / HTTP/1.1\r\nx: " + b"a" * 100_000,), b"HTTP/1.1 431"),
        ((b"no HTTP\r\n\r\n",), b"HTTP/1.1 400"),
        ((b"GET /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",), b"HTTP/1.1 400"),
        ((b"\x16\x03\x01\x00\xa5\x01\x00",), b"HTTP/1.1 400"),
    ],
)
def test_slow_and_broken_requests_are_ended(
    proxy: Proxy, parts: tuple[bytes | float, ...], status: bytes
) -> None:
    found = exchange(proxy.port, *parts)
    assert found.startswith(status)
    assert bool(found) is bool(status)
    if found:
        assert json.loads(found.partition(b"\r\n\r\n")[2])["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[" * 10_000 + b"]" * 10_000,
        b'{"messages": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"messages": [{"role": "user", "content": ' + b'[{"a":' * 10_000,
        b"\xff\xfe",
        b"1e999",
        b'{"messages": "' + b"x" * 500_000 + b'"}',
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/rag/search", "/rag/explain"])
async def test_bodies_that_are_none_are_answered(
    client: httpx.AsyncClient, body: bytes, path: str
) -> None:
    response = await client.post(path, content=body)
    assert response.status_code in (200, 400)
    if response.status_code == 400:
        assert response.json()["error"]["message"]


def test_pipelined_requests_are_answered_in_their_order(proxy: Proxy) -> None:
    words = [f"p{n}" for n in range(5)]
    sent = [raw_request(json.dumps(chat(word)).encode()) for word in words[:-1]]
    last = raw_request(json.dumps(chat(words[-1])).encode(), "connection: close\r\n")
    found = exchange(proxy.port, b"".join([*sent, last])).decode()
    assert re.findall(r'"content": "(p\d)"', found) == words


async def test_foreign_names_and_pages_are_refused(client: httpx.AsyncClient, proxy: Proxy) -> None:
    body = json.dumps(chat("w")).encode()
    for headers, status in (
        ({"host": "evil.example"}, 421),
        ({"host": f"localhost:{proxy.port}"}, 200),
        ({"origin": "https://evil.example", "content-type": "text/plain"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": proxy.url}, 200),
        ({"origin": "vscode-webview://abc"}, 200),
    ):
        response = await client.post("/v1/chat/completions", content=body, headers=headers)
        assert response.status_code == status
        assert "access-control-allow-origin" not in response.headers
    preflight = await client.options(
        "/v1/chat/completions",
        headers={"origin": "http://x.example", "access-control-request-method": "POST"},
    )
    assert preflight.status_code == 403


async def test_no_path_reaches_the_file_system(client: httpx.AsyncClient) -> None:
    for name in ("../../etc/passwd", "..%2f..%2fetc", "/etc/passwd", "a\x00b", "x" * 5000):
        for path in ("/rag/search", "/rag/explain"):
            response = await client.post(path, json={"query": "x", "collection": name})
            assert response.status_code in (200, 400)
            assert "root:" not in response.text
        response = await ask(client, "w", rag={"collection": name})
        assert response.status_code in (200, 400)
    for path in ("/assets/../page.py", "/assets/%2e%2e/page.py", "/assets/..%2fpage.py"):
        assert (await client.get(path)).status_code == 404


async def test_the_log_holds_ids_and_no_texts(client: httpx.AsyncClient, proxy: Proxy) -> None:
    headers = {"x-request-id": "seen-by-me", "authorization": "Bearer KEYKEY"}
    response = await client.post(
        "/v1/chat/completions?token=KEYKEY", json=chat("the SECRETWORD w"), headers=headers
    )
    assert response.headers["x-request-id"] == "seen-by-me"
    lines = [line for line in proxy.log.read_text().splitlines() if line.startswith("{")]
    (line,) = [json.loads(line) for line in lines if "seen-by-me" in line]
    assert (line["message"], line["status"]) == ("POST /v1/chat/completions", 200)
    assert (line["request_id"], line["rag"]) == ("seen-by-me", "empty")
    assert "SECRETWORD" not in proxy.log.read_text()
    assert "KEYKEY" not in proxy.log.read_text()


# Its end.
def stream_in_thread(port: int, text: str) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port))
    made.settimeout(30)
    made.sendall(raw_request(json.dumps(chat(text, stream=True)).encode()))
    assert made.recv(65536).startswith(b"HTTP/1.1 200")
    return made


def rest_of(made: socket.socket) -> bytes:
    found = b""
    while data := made.recv(65536):
        found += data
    return found


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_running_answers_end_and_new_ones_are_refused(
    upstream: int, tmp_path: Path, sent: signal.Signals
) -> None:
    with proxy_before(upstream, tmp_path) as ending:
        made = stream_in_thread(ending.port, "chunks:20 gap:0.1 w1")
        ending.process.send_signal(sent)
        wait_for(lambda: not listens(ending.port), "the closing of the port")
        assert rest_of(made).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
        assert ending.process.wait(20) == (130 if sent == signal.SIGINT else 0)
        assert "Traceback" not in ending.log.read_text()


def test_an_answer_that_does_not_end_is_ended(upstream: int, tmp_path: Path) -> None:
    with proxy_before(upstream, tmp_path, RAG_DRAIN_SECONDS="0.3") as ending:
        made = stream_in_thread(ending.port, "chunks:20 gap:20 w1")
        ending.process.send_signal(signal.SIGTERM)
        found = rest_of(made)
        assert b"The proxy is being stopped." in found
        assert found.endswith(b"0\r\n\r\n")
        assert b"[DONE]" not in found
        assert ending.process.wait(20) == 0
        assert "Traceback" not in ending.log.read_text()


def test_the_second_signal_stops_at_once(upstream: int, tmp_path: Path) -> None:
    with proxy_before(upstream, tmp_path, RAG_DRAIN_SECONDS="3000") as ending:
        made = stream_in_thread(ending.port, "chunks:20 gap:2000 w1")
        ending.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not listens(ending.port), "the closing of the port")
        ending.process.send_signal(signal.SIGTERM)
        assert ending.process.wait(20) == 0
        made.close()
        assert "Traceback" not in ending.log.read_text()
