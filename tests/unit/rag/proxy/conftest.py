"""The proxy over a recording upstream and a real collection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from scifi_llm.rag.proxy.app import create_app
from scifi_llm.rag.proxy.settings import ProxySettings
from scifi_llm.rag.retrieval import Retriever

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Ok."}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
STREAM = [
    b'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "O"}}]}\n\n',
    b'data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "k"}}]}\n\nda',
    b'ta: {"id": "c", "choices": [], "usage": {"prompt_tokens": 5}}\n\ndata: [DO',
    b"NE]\n\n",
]


class Pieces(httpx.AsyncByteStream):
    """A body that comes piece by piece and may break off."""

    def __init__(self, pieces: list[bytes], breaks: bool = False) -> None:
        self.pieces, self.breaks, self.closed = pieces, breaks, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.breaks:
            raise httpx.ReadError("connection reset")

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Upstream:
    """A server of OpenAI's API that records what it is sent."""

    requests: list[httpx.Request] = field(default_factory=list)
    models: list[str] = field(default_factory=lambda: ["small"])
    failure: Exception | None = None
    breaks: bool = False

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer as it comes from a socket: not read yet."""
        made = self.answer(request)
        if isinstance(made.stream, Pieces):
            return made
        return httpx.Response(made.status_code, headers=made.headers, stream=Pieces([made.content]))

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.failure:
            raise self.failure
        if request.url.path == "/v1/models":
            entries = [{"id": name, "max_model_len": 8192} for name in self.models]
            return httpx.Response(200, json={"object": "list", "data": entries})
        if request.url.path == "/v1/chat/completions":
            return self.chat(json.loads(request.content))
        return httpx.Response(
            201, content=request.content[::-1], headers={"x-kept": "yes", "connection": "close"}
        )

    def chat(self, body: dict[str, Any]) -> httpx.Response:
        if body.get("model") == "unknown":
            error = {"message": "The model `unknown` does not exist.", "code": 404}
            return httpx.Response(404, json={"error": error})
        if body.get("temperature") == 9:
            return httpx.Response(400, json={"error": {"message": "Too hot."}})
        if body.get("stream"):
            headers = {"content-type": "text/event-stream; charset=utf-8"}
            pieces = STREAM[:1] if self.breaks else STREAM
            return httpx.Response(200, headers=headers, stream=Pieces(pieces, self.breaks))
        return httpx.Response(200, json=COMPLETION, headers={"x-request-id": "r1"})

    @property
    def sent(self) -> dict[str, Any]:
        """The newest chat body."""
        chats = [r for r in self.requests if r.url.path.endswith("chat/completions")]
        body: dict[str, Any] = json.loads(chats[-1].content)
        return body


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def client(upstream: Upstream, tmp_path: Path) -> Callable[..., httpx.AsyncClient]:
    """A client of the proxy; `retriever` and settings may be given."""

    def make(retriever: Any = None, **settings: Any) -> httpx.AsyncClient:
        transport = httpx.MockTransport(upstream.handle)
        app = create_app(
            ProxySettings("novel", "http://upstream/v1", **settings),
            retriever or Retriever(tmp_path / "rag_home" / "chroma_db", "novel"),
            httpx.AsyncClient(transport=transport),
        )
        inner = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=inner, base_url="http://127.0.0.1:8001")

    return make
