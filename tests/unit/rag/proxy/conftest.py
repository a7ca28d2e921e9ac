"""The proxy over a recording upstream and a real collection."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from scifi_llm.documents import Note
from scifi_llm.rag.canon import visible
from scifi_llm.rag.chunking import Chunk
from scifi_llm.rag.passages import Found, Passage, SearchRequest
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
    window: int = 8192
    system_role: bool = True
    tokenizer: bool = True  # vLLM's /tokenize is there
    longest: int | None = None  # the window as it really is
    extra: dict[str, Any] = field(default_factory=dict)  # into every JSON answer

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
            entries = [{"id": name, "max_model_len": self.window} for name in self.models]
            return httpx.Response(200, json={"object": "list", "data": entries})
        if request.url.path == "/v1/chat/completions":
            return self.chat(json.loads(request.content))
        if request.url.path == "/tokenize" and self.tokenizer:
            return self.tokenize(json.loads(request.content))
        return httpx.Response(
            201, content=request.content[::-1], headers={"x-kept": "yes", "connection": "close"}
        )

    def tokenize(self, body: dict[str, Any]) -> httpx.Response:
        """A token for every word, and three around every message."""
        roles = [message["role"] for message in body["messages"]]
        if "system" in roles and not self.system_role:
            return httpx.Response(400, json={"error": {"message": "System role not supported"}})
        return httpx.Response(200, json={"count": self.count(body)})

    @staticmethod
    def count(body: dict[str, Any]) -> int:
        return sum(3 + len(str(message["content"]).split()) for message in body["messages"])

    def chat(self, body: dict[str, Any]) -> httpx.Response:
        if body.get("model") == "unknown":
            error = {"message": "The model `unknown` does not exist.", "code": 404}
            return httpx.Response(404, json={"error": error})
        if self.longest and self.count(body) > self.longest:
            message = f"This model's maximum context length is {self.longest} tokens. However, …"
            return httpx.Response(400, json={"error": {"message": message}})
        if body.get("temperature") == 9:
            return httpx.Response(400, json={"error": {"message": "Too hot."}})
        if body.get("stream"):
            headers = {"content-type": "text/event-stream; charset=utf-8"}
            pieces = STREAM[:1] if self.breaks else STREAM
            return httpx.Response(200, headers=headers, stream=Pieces(pieces, self.breaks))
        return httpx.Response(
            200, json={**COMPLETION, **self.extra}, headers={"x-request-id": "r1"}
        )

    @property
    def sent(self) -> dict[str, Any]:
        """The newest chat body."""
        chats = [r for r in self.requests if r.url.path.endswith("chat/completions")]
        body: dict[str, Any] = json.loads(chats[-1].content)
        return body


@dataclass
class Book:
    """A retriever over notes in memory: ranks by shared words, obeys the rules, can fail."""

    notes: dict[str, tuple[Note, str]] = field(default_factory=dict)
    failure: Exception | None = None
    asked: list[SearchRequest] = field(default_factory=list)
    root: Path = Path("/nonexistent")

    def write(self, path: str, text: str, **front: Any) -> None:
        self.notes[path] = (Note(path, front.pop("title", path.split(".")[0]), **front), text)

    def search(self, request: SearchRequest) -> Found:
        self.asked.append(request)
        found = []
        words = set(request.query.lower().split())
        for passage in self.passages(request):
            shared = len(words & set(passage.text.lower().split()))
            if shared and not passage.keys & request.exclude:
                found.append(replace(passage, score=float(shared), why=f"{shared} words"))
        found.sort(key=lambda passage: -passage.score)
        return Found(request.query, found[: request.top_k or 2])

    def always(self, request: SearchRequest) -> list[Passage]:
        return [p for p in self.passages(request) if p.chunk.note.always]

    def passages(self, request: SearchRequest) -> list[Passage]:
        if self.failure:
            raise self.failure
        return [
            Passage("novel", (Chunk(path, note, (), text, 0, len(text)),), 1.0, "always")
            for path, (note, text) in sorted(self.notes.items())
            if visible(note, request.as_of, request.pov)
        ]


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an author has set for a proxy of their own stays out."""
    names = ("BUDGET_TOKENS", "ALWAYS_BUDGET_TOKENS", "RETRIEVAL_SECONDS", "RAG_PLACEMENT")
    for name in (*names, "RAG_SOURCES", "TOP_K"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def book() -> Book:
    """A small book, whose notes are found by their words."""
    made = Book()
    made.write("elena.md", "Elena repairs sounders on the ship.", title="Elena")
    made.write("jonas.md", "Jonas sells maps of the ford.", title="Jonas")
    made.write("war.md", "The war begins at the ford.", title="War", from_chapter=3)
    made.write("secret.md", "Elena hides the map.", title="Secret", known_by=("Elena",))
    return made


@dataclass
class Talk:
    """A client that keeps a conversation and shows what of it reached the upstream."""

    client: httpx.AsyncClient
    upstream: Upstream
    messages: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)

    async def send(self, *messages: dict[str, Any]) -> httpx.Response:
        """Send the conversation with more messages behind it."""
        self.messages = [*self.messages, *messages]
        body = {"model": "small", **self.fields, "messages": self.messages}
        return await self.client.post("/v1/chat/completions", json=body)

    async def ask(self, text: str) -> list[dict[str, Any]]:
        """Ask, take the answer into the conversation, and return what the upstream was told."""
        response = await self.send({"role": "user", "content": text})
        assert response.status_code == 200, response.text
        self.messages.append(response.json()["choices"][0]["message"])
        return self.told

    @property
    def told(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.upstream.sent["messages"]
        return messages


@pytest.fixture
def talk(client: Callable[..., httpx.AsyncClient], upstream: Upstream, book: Book) -> Any:
    """Make a conversation over the book."""

    def make(**settings: Any) -> Talk:
        return Talk(client(book, **settings), upstream)

    return make


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def client(upstream: Upstream, tmp_path: Path) -> Callable[..., httpx.AsyncClient]:
    """A client of the proxy; `retriever` and settings may be given."""

    def make(retriever: Any = None, **settings: Any) -> httpx.AsyncClient:
        # A busy machine may take longer than an author would wait.
        settings.setdefault("retrieval_seconds", 60.0)
        transport = httpx.MockTransport(upstream.handle)
        app = create_app(
            ProxySettings("novel", "http://upstream/v1", **settings),
            retriever or Retriever(tmp_path / "rag_home" / "chroma_db", "novel"),
            httpx.AsyncClient(transport=transport),
        )
        inner = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=inner, base_url="http://127.0.0.1:8001")

    return make
