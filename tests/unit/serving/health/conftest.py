"""A real HTTP server that speaks OpenAI's API, well or badly, and a way to run a check on it."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from scifi_llm.console import run_main

PROMPT_TOKENS = 5
CALL = {"name": "find_character", "arguments": '{"name": "Elena Ruhl", "field": "born"}'}


@dataclass
class Fake:
    """How the server behaves, and what it has counted and was sent."""

    url: str = ""
    upstream: str = ""
    key: str = ""
    health: int = 200
    models: bytes | None = None
    models_status: int = 200
    usage: bool = True
    done: bool = True
    buffered: bool = False
    stream_line: bytes = b""
    chat: tuple[int, bytes] | None = None
    lenient: bool = False  # answers bad requests and unknown models
    flat_errors: bool = False
    rag_status: str = "ok"
    call: dict[str, Any] | None = field(default_factory=lambda: dict(CALL))
    auto_call: bool = True
    refuses_tools: bool = False
    final: str = "She was born on Ganymede."
    slots: threading.Semaphore | None = None
    pause: threading.Barrier | None = None  # between the first and the last token
    counts: bool = True
    noise: int = 0  # scrapes before each of which another client had a request
    engine_label: bool = True
    metrics: bytes | None = None
    sent: list[dict[str, Any]] = field(default_factory=list)
    counted: list[int] = field(default_factory=lambda: [0, 0, 0])

    def count(self, made: int) -> None:
        if self.counts:
            self.counted = [n + m for n, m in zip(self.counted, (1, PROMPT_TOKENS, made))]  # noqa: B905

    def scrape(self) -> bytes:
        if self.noise:
            self.noise -= 1
            self.count(7)
        engine = 'engine="0",' if self.engine_label else ""
        label = f'{{{engine}model_name="tiny"}}'
        success = f'{{{engine}finished_reason="length",model_name="tiny"}}'
        requests, prompt, made = self.counted
        return (
            f"vllm:num_requests_running{label} 0.0\nvllm:num_requests_waiting{label} 0.0\n"
            f"vllm:prompt_tokens_total{label} {prompt}.0\n"
            f"vllm:generation_tokens_total{label} {made}.0\n"
            f"vllm:request_success_total{success} {requests}.0\n"
        ).encode()


class Handler(BaseHTTPRequestHandler):
    fake: Fake

    def log_message(self, *_: Any) -> None:
        pass

    def reply(self, status: int, body: Any, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def error(self, status: int, message: str) -> None:
        shape = {"error": {"message": message, "type": "BadRequestError", "code": status}}
        self.reply(status, {"message": message} if self.fake.flat_errors else shape)

    def do_GET(self) -> None:
        fake = self.fake
        if self.path == "/health":
            said = {"collection": "world", "chunks": 3,
                    "upstream": {"url": fake.upstream, "status": "ok"}}  # fmt: skip
            self.reply(fake.health, said if fake.upstream else b"")
        elif self.path == "/metrics":
            self.reply(200, fake.scrape() if fake.metrics is None else fake.metrics)
        elif fake.key and self.headers["authorization"] != f"Bearer {fake.key}":
            self.error(401, "Unauthorized")
        elif fake.models is not None:
            self.reply(fake.models_status, fake.models)
        else:
            self.reply(200, {"data": [{"id": "tiny", "max_model_len": 8192}]})

    def do_POST(self) -> None:
        fake = self.fake
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        fake.sent.append(body)
        if not fake.lenient and body["max_tokens"] < 1:
            self.error(400, "max_tokens must be at least 1\nand more")
        elif not fake.lenient and body["model"] != "tiny":
            self.error(404, f"The model `{body['model']}` does not exist.")
        elif body.get("stream"):
            self.stream(body)
        elif body.get("tools"):
            self.tools(body)
        elif fake.chat and self.path.endswith("/chat/completions"):
            self.reply(*fake.chat)
        else:
            self.whole({"message": {"role": "assistant", "content": "Hello"}, "text": "a time"},
                       body["max_tokens"])  # fmt: skip

    def whole(self, choice: dict[str, Any], made: int) -> None:
        self.fake.count(made)
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": made}
        answer = {"choices": [choice], **({"usage": usage} if self.fake.usage else {})}
        self.reply(200, answer, x_rag_status=self.fake.rag_status)

    def tools(self, body: dict[str, Any]) -> None:
        fake, choice = self.fake, body["tool_choice"]
        message: dict[str, Any] = {"role": "assistant", "content": "Words."}
        if fake.refuses_tools:
            return self.error(400, '"auto" tool choice requires --enable-auto-tool-choice')
        if choice == "none":
            message["content"] = fake.final
        elif fake.call is not None and (choice != "auto" or fake.auto_call):
            message["tool_calls"] = [{"id": "1", "type": "function", "function": fake.call}]
        return self.whole({"message": message}, 4)

    def stream(self, body: dict[str, Any]) -> None:
        fake, made = self.fake, 8
        if fake.slots:
            fake.slots.acquire()
        self.send_response(200)
        self.end_headers()
        events = [event({"choices": [{"delta": {"content": "x"}}]}) for _ in range(made)]
        if fake.buffered:
            events = [b"".join(events)]
        for place, data in enumerate(events):
            if fake.pause and place in (1, made - 1):
                fake.pause.wait(10)
            self.wfile.write(data)
            time.sleep(0.003)
        if fake.usage:
            usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": made}
            self.wfile.write(event({"choices": [], "usage": usage}))
        self.wfile.write(fake.stream_line + (b"data: [DONE]\n\n" if fake.done else b""))
        if fake.slots:
            time.sleep(0.05)  # the client is to read the end before another one begins
            fake.slots.release()


def event(data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A server on a free port; change its fields to let it misbehave."""
    made = Fake()
    handler = type("Handler", (Handler,), {"fake": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield made
    server.shutdown()
    server.server_close()


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a check's main with arguments: (status, stdout, stderr), with times as T."""
    for name in ("OPENAI_API_KEY", "RAG_API_KEY", "IN_QUICKSTART"):
        monkeypatch.delenv(name, raising=False)

    def ran(main: Callable[[], int], *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["check", *words])
        status = run_main(main)
        out, err = capsys.readouterr()
        return status, *(re.sub(r"\d+\.\d\d? s", "T s", text) for text in (out, err))  # type: ignore[return-value]

    return ran
