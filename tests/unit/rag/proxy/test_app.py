"""The proxy as its clients see it, and what reaches the upstream."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

Client = Callable[..., httpx.AsyncClient]
QUESTION = {"role": "user", "content": "Who repairs the sounders?"}
ELENA = "Elena Ruhl is patient and exact; she repairs sounders."


def body(**more: Any) -> dict[str, Any]:
    return {"model": "small", "messages": [QUESTION], **more}


async def chat(client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await client.post("/v1/chat/completions", json=body(**more))


def events(response: httpx.Response) -> list[Any]:
    lines = [line[6:] for line in response.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def test_canon_reaches_the_upstream_before_the_question(
    collection: Path, client: Client, upstream: Any
) -> None:
    response = await chat(client())
    told = upstream.sent["messages"]
    assert response.status_code == 200
    assert response.headers["x-rag-status"] == "ok"
    assert len(told) == 1
    assert told[0]["content"].startswith("<canon>\n")
    assert ELENA in told[0]["content"]
    assert told[0]["content"].endswith("</canon>\n\nWho repairs the sounders?")
    answer = response.json()
    assert answer["choices"][0]["message"]["content"] == "Ok."
    assert answer["usage"]["total_tokens"] == 7
    assert answer["rag"]["sources"][0]["path"] == "characters/elena.md"
    assert set(answer["rag"]["sources"][0]) == {"path", "heading", "score", "why"}
    assert response.headers["x-request-id"] == "r1"


async def test_every_field_of_the_client_arrives_untouched(
    collection: Path, client: Client, upstream: Any
) -> None:
    fields = {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": [1, None]}}}],
        "tool_choice": "auto",
        "temperature": 0.85,
        "top_p": 0.9,
        "logprobs": True,
        "n": 2,
        "seed": 7,
        "response_format": {"type": "json_object"},
        "min_p": 0.05,
        "unknown_field": {"deep": ["ü", {"x": 1e-7}]},
    }
    history = [
        {"role": "system", "content": "You write."},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
        {"role": "tool", "tool_call_id": "1", "content": "42"},
        QUESTION,
    ]
    await client().post(
        "/v1/chat/completions",
        json={"model": "small", "messages": history, "rag": {"top_k": 1}, **fields},
        headers={"authorization": "Bearer EMPTY", "x-custom": "kept"},
    )
    sent = upstream.sent
    assert sent["messages"][:3] == history[:3]
    assert {key: sent[key] for key in fields} == fields
    assert set(sent) == {"model", "messages", *fields}  # `rag` is ours
    assert upstream.requests[-1].headers["authorization"] == "Bearer EMPTY"
    assert upstream.requests[-1].headers["x-custom"] == "kept"
    assert upstream.requests[-1].headers["host"] == "upstream"


@pytest.mark.parametrize(
    "content",
    [[{"type": "text", "text": "Who repairs the sounders?"}, {"type": "image_url"}], None],
)
async def test_list_and_null_content_are_accepted(
    collection: Path, client: Client, upstream: Any, content: Any
) -> None:
    response = await chat(client(), messages=[{"role": "user", "content": content}])
    assert response.status_code == 200
    sent = upstream.sent["messages"][0]["content"]
    if content is None:
        assert (sent, response.headers["x-rag-status"]) == (None, "empty")
    else:
        assert ELENA in sent[0]["text"]
        assert sent[1:] == content


async def test_a_stream_is_relayed_with_the_sources_before_its_end(
    collection: Path, client: Client, upstream: Any
) -> None:
    response = await chat(client(), stream=True)
    found = events(response)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["x-rag-status"] == "ok"
    assert found[-1] == "[DONE]"
    assert found[-2]["choices"] == []
    assert found[-2]["rag"]["sources"][0]["path"] == "characters/elena.md"
    assert found[-3] == {"id": "c", "choices": [], "usage": {"prompt_tokens": 5}}
    text = "".join(c["delta"]["content"] for event in found[:-3] for c in event["choices"])
    assert text == "Ok"


async def test_sources_none_leaves_answer_and_stream_as_they_are(
    collection: Path, client: Client
) -> None:
    options = {"rag": {"sources": "none"}}
    assert "rag" not in (await chat(client(), **options)).json()
    assert len(events(await chat(client(), stream=True, **options))) == 4


@pytest.mark.parametrize("rag", [{"as_of": 2}, {"pov": "Nobody"}])
async def test_canon_rules_hold_for_what_is_sent(
    collection: Path, client: Client, upstream: Any, rag: dict[str, Any]
) -> None:
    await chat(client(), rag={**rag, "top_k": 50})
    sent = upstream.sent["messages"][0]["content"]
    assert ("The war begins" in sent) is ("as_of" not in rag)
    assert ("Jonas sells maps" in sent) is ("pov" not in rag)


async def test_disabled_and_no_user_message(
    collection: Path, client: Client, upstream: Any
) -> None:
    response = await chat(client(), rag={"enabled": False})
    assert response.headers["x-rag-status"] == "disabled"
    assert upstream.sent == body()
    response = await chat(client(), messages=[{"role": "system", "content": "x"}])
    assert response.headers["x-rag-status"] == "empty"


async def test_nothing_found_still_forwards(
    collection: Path, client: Client, upstream: Any
) -> None:
    response = await chat(client(), rag={"budget_tokens": 0})
    assert (response.status_code, response.headers["x-rag-status"]) == (200, "empty")
    assert upstream.sent == body()
    assert response.json()["rag"] == {"status": "empty", "sources": []}


async def test_the_budget_of_the_settings_is_kept(
    collection: Path, client: Client, upstream: Any
) -> None:
    await chat(client(budget_tokens=20))
    assert upstream.sent["messages"][0]["content"].count("<note ") == 1


async def test_other_routes_pass_byte_for_byte(client: Client, upstream: Any) -> None:
    raw = bytes(range(256))
    response = await client().post("/v1/completions?a=1&b=%20", content=raw)
    assert (response.status_code, response.content) == (201, raw[::-1])
    assert response.headers["x-kept"] == "yes"
    assert "connection" not in response.headers
    assert upstream.requests[0].content == raw
    assert str(upstream.requests[0].url) == "http://upstream/v1/completions?a=1&b=%20"
    models = await client().get("/v1/models")
    assert models.json()["data"][0]["max_model_len"] == 8192


async def test_keys(collection: Path, client: Client, upstream: Any) -> None:
    ours = client(api_key="ours", upstream_key="theirs")
    assert (await chat(ours)).status_code == 401
    assert upstream.requests == []
    response = await ours.post(
        "/v1/chat/completions", json=body(), headers={"authorization": "Bearer ours"}
    )
    assert response.status_code == 200
    assert upstream.requests[-1].headers["authorization"] == "Bearer theirs"
    assert (await ours.get("/health")).status_code == 200
    alone = client(api_key="ours")
    await alone.get("/v1/models", headers={"authorization": "Bearer ours"})
    assert "authorization" not in upstream.requests[-1].headers


async def test_health(collection: Path, client: Client, upstream: Any) -> None:
    found = (await client().get("/health")).json()
    assert (found["status"], found["collection"], found["chunks"]) == ("ok", "novel", 6)
    assert found["upstream"]["status"] == "ok"
    upstream.failure = httpx.ConnectError("refused")
    assert (await client().get("/health")).json()["upstream"]["status"] == "down"


async def test_search_and_collections(collection: Path, client: Client) -> None:
    ours = client()
    by_query = await ours.post("/rag/search", json={"query": QUESTION["content"], "top_k": 2})
    by_chat = await ours.post("/rag/search", json={"messages": [QUESTION], "top_k": 2})
    assert by_query.json() == by_chat.json()
    results = by_query.json()["results"]
    assert len(results) == 2
    assert results[0]["text"] == ELENA
    assert set(results[0]) == {"path", "heading", "score", "why", "text"}
    (entry,) = (await ours.get("/rag/collections")).json()["collections"]
    assert (entry["name"], entry["chunks"]) == ("novel", 6)
    assert (await ours.post("/rag/search", json={})).status_code == 400
    wrong = await ours.post("/rag/search", json={"query": "x", "collection": "other"})
    assert wrong.status_code == 400
    assert "(there are: novel)" in wrong.json()["error"]["message"]
