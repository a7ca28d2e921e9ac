"""The MCP server over stdio, asked by the SDK's own client, before a stand-in of the proxy."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from scifi_llm.rag import mcp_server

REPO = Path(__file__).resolve().parents[3]
ELENA = {
    "path": "characters/elena.md",
    "heading": "Elena Ruhl > Traits",
    "score": 0.6,
    "why": "name Elena",
    "text": "Elena is patient.",
    "tokens": 12,
}
EXPLAINED = {
    "query": "Who is Elena?",
    "always": [],
    "passages": [ELENA],
    "dropped": [{**ELENA, "heading": "Jonas", "reason": "beyond the first 8"}],
    "budget": {"tokens": 2000, "used": 12, "always_used": 0, "counter": "tokenizer"},
}


class Proxy(ThreadingHTTPServer):
    """Answers the two routes and keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], str]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, body, self.headers["authorization"]))
        if body["query"] == "":
            self.answer(400, {"error": {"message": "Give the question as 'query'."}})
        elif self.path == "/rag/search":
            self.answer(200, {"results": [] if body.get("as_of") == 0 else [ELENA]})
        else:
            self.answer(200, EXPLAINED)

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    server = Proxy()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@asynccontextmanager
async def connected(port: int, **env: str) -> AsyncIterator[Client]:
    words = ["--url", f"http://127.0.0.1:{port}/v1"]
    parameters = StdioServerParameters(
        command=str(REPO / "RAG" / "mcp_server.py"),
        args=words,
        env={**os.environ, **env},
        cwd="/",
    )
    async with Client(stdio_client(parameters)) as client:
        yield client


async def text_of(client: Client, tool: str, **arguments: Any) -> tuple[str, bool]:
    answer = await client.call_tool(tool, arguments)
    (part,) = answer.content
    return part.text, answer.is_error  # type: ignore[union-attr]


async def test_an_editor_sees_two_tools_and_asks_them(proxy: Proxy) -> None:
    async with connected(proxy.server_port, RAG_API_KEY="secret") as client:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["search_canon", "explain"]
        assert tools[0].input_schema["required"] == ["query"]
        found = await text_of(client, "search_canon", query="Who is Elena?", as_of=3, pov="Jonas")
        assert found == (
            "## Elena Ruhl > Traits\n(characters/elena.md; name Elena)\n\nElena is patient.",
            False,
        )
        told, failed = await text_of(client, "explain", query="Who is Elena?", budget_tokens=500)
        assert not failed
        assert "- Elena Ruhl > Traits (characters/elena.md): name Elena; 12 tokens" in told
        assert "; left out: beyond the first 8" in told
        assert "## Always sent\n- nothing" in told
    asked = {"query": "Who is Elena?"}
    assert proxy.asked == [
        ("/rag/search", {**asked, "as_of": 3, "pov": "Jonas"}, "Bearer secret"),
        ("/rag/explain", {**asked, "budget_tokens": 500}, "Bearer secret"),
    ]


def test_only_the_nearest_misses_are_told() -> None:
    dropped = [{**ELENA, "heading": f"Miss {n}", "reason": "below the best 8"} for n in range(90)]
    told = mcp_server.as_reasons({**EXPLAINED, "dropped": dropped})
    assert "- Miss 7 (" in told
    assert "- Miss 8 (" not in told
    assert "- and 82 more" in told


async def test_what_goes_wrong_is_told_to_the_agent_in_words(proxy: Proxy, free_port: int) -> None:
    async with connected(proxy.server_port) as client:
        nothing = await text_of(client, "search_canon", query="x", as_of=0)
        assert nothing == (mcp_server.NOTHING, False)
        told, failed = await text_of(client, "search_canon", query="")
        assert failed
        assert told.endswith("Give the question as 'query'.")
    async with connected(free_port) as client:
        told, failed = await text_of(client, "search_canon", query="Who is Elena?")
        assert failed
        assert told.endswith("Start it with: ./serve_rag_proxy.sh --detach")
