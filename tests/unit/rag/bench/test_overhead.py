"""The load generator against its mock upstream, and what is made of numbers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scifi_llm.rag.bench.load import Load, complete, load_of, right, run
from scifi_llm.rag.bench.overhead import LOADS, missed, summary, table
from scifi_llm.rag.bench.upstream import Connection, completion


def rows(rate: float, p50: float, wrong: int = 0) -> dict[str, Any]:
    return {name: {"per_second": rate, "p50_ms": p50, "wrong": wrong} for name in LOADS}


RESULT = {
    "upstream": rows(9000, 0.1),
    "proxy": rows(900, 1.1),
    "litellm": rows(90, 12),
    "retrieval": {"p50_ms": 23.6, "beside_p50_ms": 3.6, "requests": 40},
    "memory_mb": [90.0, 95.0, 96.0, 96.0, 96.0, 96.0, 96.5, 96.0, 96.0, 97.0],
}


def test_summary() -> None:
    found = summary(RESULT)
    assert found["added_ms"] == 1.0
    assert found["retrieval_added_ms"] == 3.5
    assert found["ratio"] == dict.fromkeys(LOADS, 10.0)
    assert found["memory_growth_mb"] == 1.0
    assert found["wrong"] == 0
    assert missed(found) == [
        "retrieval_added_ms is 3.5, wanted at most 3.0",
        "1 client, streams: 10.0 times LiteLLM's rate, wanted 20",
        "9 clients, streams: 10.0 times LiteLLM's rate, wanted 20",
    ]
    lines = table(RESULT).splitlines()
    assert lines[0] == "| load | upstream | proxy | litellm |"
    assert lines[2] == "| 1 client | 9000/s, 0.10 ms | 900/s, 1.10 ms | 90/s, 12.00 ms |"


def test_without_a_peer_there_is_no_ratio() -> None:
    alone = {key: value for key, value in RESULT.items() if key not in ("litellm", "memory_mb")}
    assert set(summary(alone)) == {"added_ms", "wrong", "retrieval_added_ms"}


@pytest.mark.parametrize(("stream", "clients"), [(False, 1), (True, 3)])
async def test_each_answer_is_its_own(stream: bool, clients: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(set()), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    load = Load(f"http://127.0.0.1:{port}", clients, seconds=30, requests=20, stream=stream)
    found = (await run(load)).summary()
    server.close()
    assert found["wrong"] == 0
    assert 20 <= found["requests"] < 20 + clients


def test_answers_are_checked() -> None:
    good = b"HTTP/1.1 200 OK\r\n\r\n" + completion("w1")
    assert right(good, "w1", stream=False)
    assert not right(good, "w2", stream=False)
    assert not right(good.replace(b"200", b"500"), "w1", stream=False)
    assert not right(good, "w1", stream=True)
    assert complete(bytearray(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"))
    assert not complete(bytearray(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"))
    assert not complete(bytearray(b"HTTP/1.1 200 OK\r\n"))


def test_arguments() -> None:
    assert load_of(["http://x", "clients=9", "stream=1", "seconds=0.5"]) == Load(
        "http://x", clients=9, seconds=0.5, stream=True
    )
