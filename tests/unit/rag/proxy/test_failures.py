"""What clients get where store, upstream or request fail."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.rag.passages import Found, Passage, SearchRequest

Client = Callable[..., httpx.AsyncClient]
QUESTION = {"role": "user", "content": "Who repairs the sounders?"}


def body(**more: Any) -> dict[str, Any]:
    return {"model": "small", "messages": [QUESTION], **more}


async def chat(client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", json=body(**more))


def events(response: httpx.Response) -> list[Any]:
    lines = [line[6:] for line in response.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


class Broken:
    """A retriever that fails in a given way."""

    root = Path("/nonexistent")

    def __init__(self, error: Exception | float) -> None:
        self.error = error

    def search(self, request: SearchRequest) -> Found:
        if isinstance(self.error, Exception):
            raise self.error
        time.sleep(self.error)
        return Found("", [])

    def always(self, request: SearchRequest) -> list[Passage]:
        return []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ToolkitError("There is no collection 'novel'.", "Make it."), "There is no collection"),
        (RuntimeError("database is locked"), "RuntimeError: database is locked"),
        (0.5, "no result in 0.1 s"),
    ],
)
async def test_a_store_that_fails_never_stops_the_author(
    client: Client, upstream: Any, error: Exception | float, reason: str
) -> None:
    response = await chat(client(Broken(error), retrieval_seconds=0.1))
    assert (response.status_code, response.headers["x-rag-status"]) == (200, "degraded")
    assert response.json()["choices"][0]["message"]["content"] == "Ok."
    assert response.json()["rag"]["reason"].startswith(reason)
    assert upstream.sent == body()


async def test_a_missing_collection_still_forwards(client: Client, upstream: Any) -> None:
    response = await chat(client())
    assert (response.status_code, response.headers["x-rag-status"]) == (200, "degraded")
    assert upstream.sent == body()


@pytest.mark.parametrize("stream", [False, True])
async def test_upstream_down_names_the_command(
    collection: Path, client: Client, upstream: Any, stream: bool
) -> None:
    upstream.failure = httpx.ConnectError("refused")
    response = await chat(client(), stream=stream)
    assert response.status_code == 503
    assert response.json()["error"] == {
        "message": "Nothing answers at http://upstream/v1. Start vLLM with: ./serve_vllm.sh",
        "type": "upstream_error",
        "param": None,
        "code": 503,
    }
    for path in ("models", "completions"):
        assert (await client().get(f"/v1/{path}")).status_code == 503


@pytest.mark.parametrize(
    ("failure", "status"),
    [(httpx.ConnectTimeout("t"), 504), (httpx.ReadTimeout("t"), 504), (httpx.ReadError("r"), 502)],
)
async def test_other_upstream_failures_have_their_own_sentence(
    collection: Path, client: Client, upstream: Any, failure: Exception, status: int
) -> None:
    upstream.failure = failure
    response = await chat(client())
    assert (response.status_code, response.json()["error"]["code"]) == (status, status)


async def test_an_unknown_model_names_the_served_ones(
    collection: Path, client: Client, upstream: Any
) -> None:
    upstream.models = ["small", "style"]
    response = await chat(client(), model="unknown")
    assert response.status_code == 404
    message = response.json()["error"]["message"]
    assert message == "The model `unknown` does not exist. Served here: small, style."


async def test_upstream_errors_pass_with_status_and_body(collection: Path, client: Client) -> None:
    response = await chat(client(), temperature=9)
    assert (response.status_code, response.json()) == (400, {"error": {"message": "Too hot."}})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not json", "The body is not JSON."),
        (b"[1]", "The body is not a JSON object."),
        (b"[" * 100_000, "The body is not JSON."),
        (b'{"rag": 7}', "The field 'rag' must be an object."),
        (b'{"rag": {"as_off": 1}}', "The field 'rag' has no key 'as_off'"),
        (b'{"rag": {"as_of": "two"}}', "rag.as_of is 'two'; it must be a chapter number."),
        (b'{"rag": {"top_k": true}}', "rag.top_k is True; it must be a whole number above 0."),
        (b'{"rag": {"top_k": 0}}', "rag.top_k is 0; it must be from 1 to 1000000."),
        (b'{"rag": {"sources": "all"}}', "rag.sources is 'all'"),
    ],
)
async def test_bad_requests_are_openai_shaped_errors(
    client: Client, upstream: Any, content: bytes, message: str
) -> None:
    response = await client().post("/v1/chat/completions", content=content)
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith(message)
    assert upstream.requests == []


async def test_a_stream_that_dies_ends_with_an_error_event(
    collection: Path, client: Client, upstream: Any
) -> None:
    upstream.breaks = True
    response = await chat(client(), stream=True)
    found = events(response)
    assert found[0]["choices"][0]["delta"]["content"] == "O"
    assert found[-1]["error"]["code"] == 502
    assert "broke off the answer" in found[-1]["error"]["message"]
