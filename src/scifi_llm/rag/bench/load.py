"""A load generator for one process: so many clients, so many requests, each answer checked.

`python -m scifi_llm.rag.bench.load URL KEY=VALUE…` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

from .upstream import CHUNKS, MODEL


@dataclass(frozen=True)
class Load:
    """What is sent: `clients` connections, `requests` in all (or `seconds` of them)."""

    url: str
    clients: int = 1
    seconds: float = 5.0
    requests: int = 1_000_000
    stream: bool = False
    path: str = "/v1/chat/completions"
    words: int = 50
    model: str = MODEL
    rag: str = ""
    series: str = ""  # part of every question: those of another series are asked for the first time
    beside: str = ""  # a line of /metrics that sums up seconds: what a request takes beside them


@dataclass
class Result:
    """Times in seconds."""

    latencies: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    wrong: int = 0
    wall: float = 0.0

    def summary(self) -> dict[str, float | int]:
        """Requests per second and latencies in milliseconds."""
        ordered, count = sorted(self.latencies), len(self.latencies)
        firsts, rests = sorted(self.first), sorted(self.beside)
        more = {"beside_p50_ms": round(1000 * rests[len(rests) // 2], 3)} if rests else {}
        return more | {
            "requests": count,
            "wrong": self.wrong,
            "per_second": round(count / self.wall, 1) if self.wall else 0.0,
            "p50_ms": round(1000 * ordered[count // 2], 3) if count else 0.0,
            "p95_ms": round(1000 * ordered[int(count * 0.95)], 3) if count else 0.0,
            "first_byte_p50_ms": round(1000 * firsts[count // 2], 3) if count else 0.0,
        }


class Client(asyncio.Protocol):
    """One keep-alive connection that reads an answer to its end."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.done: asyncio.Future[bytes] | None = None
        self.first = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that is waited for will not come."""
        if self.done and not self.done.done():
            self.done.set_result(bytes(self.buffer))

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Send `request`; the future gets the whole answer."""
        self.buffer.clear()
        self.first = 0.0
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.done

    def data_received(self, data: bytes) -> None:
        """Collect until the answer is complete."""
        self.first = self.first or time.perf_counter()
        self.buffer += data
        if self.done and not self.done.done() and complete(self.buffer):
            self.done.set_result(bytes(self.buffer))


def complete(data: bytearray) -> bool:
    """Whether an answer has come to its end."""
    if data.endswith(b"0\r\n\r\n"):
        return True
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    at = data[:end].lower().find(b"content-length:")
    if at < 0:
        return False
    return len(data) - end - 4 >= int(data[at + 15 : end].split(b"\r\n")[0])


def request_bytes(load: Load, word: str) -> bytes:
    """One request whose answer must repeat `word`."""
    prompt = " ".join(["sounder"] * load.words + [word])
    body: dict[str, Any] = {
        "model": load.model,
        "messages": [{"role": "user", "content": prompt}],
        "stream": load.stream,
    }
    if load.rag:
        body["rag"] = json.loads(load.rag)
    raw = json.dumps(body).encode()
    host = urlsplit(load.url).netloc
    head = (
        f"POST {load.path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer EMPTY\r\ncontent-length: {len(raw)}\r\n\r\n"
    )
    return head.encode() + raw


def right(answer: bytes, word: str, stream: bool) -> bool:
    """Whether it is the answer to this request, whole."""
    if not answer.startswith(b"HTTP/1.1 200"):
        return False
    if not stream:
        return word.encode() in answer
    return answer.count(word.encode() + b".") >= CHUNKS and b"data: [DONE]" in answer


async def one_client(load: Load, number: int, until: float, result: Result) -> None:
    """Ask until the time or the requests are used up."""
    parts = urlsplit(load.url)
    loop = asyncio.get_running_loop()
    address = (parts.hostname or "127.0.0.1", parts.port or 80)
    _, client = await loop.create_connection(Client, *address)
    turn = 0
    while time.perf_counter() < until and len(result.latencies) < load.requests:
        if client.transport.is_closing():
            _, client = await loop.create_connection(Client, *address)
        word = f"w{load.series}{number}x{turn}"
        turn += 1
        request = request_bytes(load, word)
        before = await spent(client, load.beside) if load.beside else 0.0
        started = time.perf_counter()
        answer = await client.ask(request)
        result.latencies.append(time.perf_counter() - started)
        result.first.append((client.first or time.perf_counter()) - started)
        if load.beside:
            inside = await spent(client, load.beside) - before
            result.beside.append(result.latencies[-1] - inside)
        if not right(answer, word, load.stream):
            result.wrong += 1
    client.transport.close()


async def spent(client: Client, line: str) -> float:
    """The seconds in a line of /metrics; with one client alone they are its own."""
    answer = await client.ask(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n")
    found = re.search(rb"^%b (\S+)\r?$" % re.escape(line).encode(), answer, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def run(load: Load) -> Result:
    """All clients at once."""
    result, started = Result(), time.perf_counter()
    until = started + load.seconds
    await asyncio.gather(*(one_client(load, n, until, result) for n in range(load.clients)))
    result.wall = time.perf_counter() - started
    return result


def load_of(arguments: list[str]) -> Load:
    """`URL clients=9 stream=1 …` as a Load."""
    given: dict[str, Any] = {}
    kinds = {key: type(value) for key, value in asdict(Load("")).items()}
    for argument in arguments[1:]:
        key, value = argument.split("=", 1)
        given[key] = bool(int(value)) if kinds[key] is bool else kinds[key](value)
    return Load(arguments[0], **given)


def main() -> None:
    """Entry of `python -m scifi_llm.rag.bench.load`."""
    import uvloop

    print(json.dumps(uvloop.run(run(load_of(sys.argv[1:]))).summary()))


if __name__ == "__main__":
    main()
