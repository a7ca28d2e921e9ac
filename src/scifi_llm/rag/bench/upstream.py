"""A mock of vLLM that costs almost nothing: `python -m scifi_llm.rag.bench.upstream PORT [FOLDER]`.

Every answer repeats the last word of the newest message, so that a reader can tell whether it got
its own answer. What a request asks for beside it is in that message too: `… pause:2 die:5 marker`
waits 2 s and dies after 5 chunks; `tear:5` dies within the chunk that follows them; `fault:html
marker` is one of FAULTS. Tokens are counted as by the model in FOLDER.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any, cast

CHUNKS = 32
MODEL = "mock"
# Answers that are none: bytes to send before the connection is closed.
FAULTS = {
    "close": b"",
    "garbage": b"\x16\x03\x01 no HTTP at all\r\n\r\n",
    "half": b"HTTP/1.1 200 OK\r\ncontent-type: app",
    "html": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
    "short": b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"a',
    "long": b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}{}",
}
FAULT = re.compile(r"\bfault:(\w+)")
HEAD = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
ORDER = re.compile(r"\b(pause|die|tear|gap|chunks):([\d.]+)")


def completion(word: str) -> bytes:
    """The body of an answer that is not streamed."""
    message = {"role": "assistant", "content": word}
    answer = {
        "id": f"chatcmpl-{word}",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }
    return json.dumps(answer).encode()


def event(word: str, number: int) -> bytes:
    """One chunk of a stream, as vLLM sends it."""
    chunk = {
        "id": f"chatcmpl-{word}",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": MODEL,
        "choices": [{"index": 0, "delta": {"content": f"{word}.{number} "}, "finish_reason": None}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def head(length: int | None, kind: str, status: str = "200 OK") -> bytes:
    """Status line and headers; without a length the body is chunked."""
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n".encode()


def framed(data: bytes) -> bytes:
    """A piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Connection(asyncio.Protocol):
    """One client: requests are answered in turn."""

    def __init__(self, open_ones: set[Connection], root: str = MODEL) -> None:
        self.open_ones, self.root = open_ones, root
        self.buffer = b""
        self.transport: asyncio.Transport
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the client."""
        self.transport = cast(asyncio.Transport, transport)
        self.open_ones.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop answering."""
        self.open_ones.discard(self)
        if self.task:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        found = HEAD.search(self.buffer, 0, end)
        stop = end + 4 + (int(found[1]) if found else 0)
        if len(self.buffer) < stop:
            return
        line, body = self.buffer[: self.buffer.find(b"\r\n")], self.buffer[end + 4 : stop]
        self.buffer = self.buffer[stop:]
        self.answer(line, body)

    def answer(self, line: bytes, body: bytes) -> None:
        """Send what is asked for."""
        if b" /v1/models " in line:
            entry = {"id": MODEL, "root": self.root, "max_model_len": 1_000_000}
            self.send_whole(json.dumps({"object": "list", "data": [entry]}).encode())
        elif b"/metrics " in line or b"/count " in line:
            self.send_whole(json.dumps({"open": len(self.open_ones)}).encode())
        elif body:
            request = json.loads(body)
            text = newest_text(request)
            word = text.split()[-1] if text.split() else "nothing"
            if fault := FAULT.search(text):
                self.transport.write(FAULTS[fault[1]])
                self.transport.close()
                return
            orders = {name: float(value) for name, value in ORDER.findall(text)}
            if request.get("stream"):
                self.task = asyncio.get_running_loop().create_task(self.stream(word, orders))
            elif "pause" in orders:
                loop = asyncio.get_running_loop()
                loop.call_later(orders["pause"], self.send_whole, completion(word))
            else:
                self.send_whole(completion(word))
        else:
            self.send_whole(b"{}")

    def send_whole(self, body: bytes) -> None:
        """An answer with its length."""
        self.transport.write(head(len(body), "application/json") + body)

    async def stream(self, word: str, orders: dict[str, float]) -> None:
        """Chunks one by one, each in a write of its own."""
        await asyncio.sleep(orders.get("pause", 0))
        self.transport.write(head(None, "text/event-stream; charset=utf-8"))
        for number in range(int(orders.get("chunks", CHUNKS))):
            if number == orders.get("die"):
                self.transport.abort()
                return
            if number == orders.get("tear"):
                self.transport.write(framed(event(word, number)[:-30]))
                self.transport.close()
                return
            self.transport.write(framed(event(word, number)))
            await asyncio.sleep(orders.get("gap", 0))
        self.transport.write(framed(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def newest_text(request: dict[str, Any]) -> str:
    """The text of the last message."""
    messages = request.get("messages")
    newest = messages[-1] if isinstance(messages, list) and messages else None
    content = newest.get("content") if isinstance(newest, dict) else None
    return content if isinstance(content, str) else json.dumps(content)


async def serve(port: int, root: str) -> None:
    """Answer on 127.0.0.1:`port` until cancelled."""
    loop = asyncio.get_running_loop()
    open_ones: set[Connection] = set()
    server = await loop.create_server(lambda: Connection(open_ones, root), "127.0.0.1", port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Entry of `python -m scifi_llm.rag.bench.upstream PORT`."""
    import uvloop

    uvloop.run(serve(int(sys.argv[1]), (*sys.argv[2:], MODEL)[0]))


if __name__ == "__main__":
    main()
