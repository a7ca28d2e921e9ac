"""The chat route: what passes unharmed, what may be asked of it, and that it always fits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

Make = Callable[..., Any]
QUESTION = {"role": "user", "content": "Who is Elena on the ship ?"}
ELENA = "Elena repairs sounders on the ship."


async def post(client: httpx.AsyncClient, raw: str, **headers: str) -> httpx.Response:
    sent = {"content-type": "application/json", **headers}
    return await client.post("/v1/chat/completions", content=raw.encode(), headers=sent)


def last(upstream: Any) -> httpx.Request:
    chats = [r for r in upstream.requests if r.url.path.endswith("chat/completions")]
    request: httpx.Request = chats[-1]
    return request


ODD = (
    '{"model":"small", "temperature":1.0,"big":123456789012345678901234567890,"x":1e400,\n'
    ' "x":2, "messages":[{"role":"system","content":"\\ud83d\\ude00 \\ud800"},'
    '{"role":"assistant","content":null,"tool_calls":[]}, %s ], "z":{"k":[ -0.0,1E5 ]} }'
)


async def test_the_rest_of_a_body_keeps_its_bytes(client: Make, book: Any, upstream: Any) -> None:
    user = '{"content":"Who is \\u0045lena ?","role":"user"}'
    await post(client(book), ODD % user)
    sent = last(upstream).content.decode()
    lore, _, _ = sent.partition("Who is \\u0045lena ?")
    assert ELENA in lore
    begin = sent.index('"<canon>') + 1
    assert sent[:begin] + sent[len(lore) :] == ODD % user


async def test_without_lore_the_clients_own_bytes_go_on(
    client: Make, book: Any, upstream: Any
) -> None:
    raw = ODD % '{"role":"user","content":"nothing matches"}'
    await post(client(book), raw)
    assert last(upstream).content == raw.encode()


async def test_our_headers_stay_here(client: Make, book: Any, upstream: Any) -> None:
    headers = {"x-rag-as-of": "2", "x-rag-top-k": "9", "x-request-id": "mine"}
    response = await post(client(book), json.dumps({"messages": [QUESTION]}), **headers)
    assert response.status_code == 200
    sent = last(upstream)
    assert not [key for key in sent.headers if key.startswith("x-rag")]
    assert sent.headers["x-request-id"] == "mine"
    assert book.asked[-1].as_of == 2


async def test_a_wrong_header_is_named(client: Make, book: Any) -> None:
    response = await post(client(book), json.dumps({"messages": [QUESTION]}), **{"x-rag-pv": "x"})
    assert response.status_code == 400
    assert "x-rag-pv is unknown" in response.json()["error"]["message"]


async def test_the_models_name_may_carry_collections(
    collection: Path, client: Make, upstream: Any
) -> None:
    ours = client()
    for rag, status in ((None, "ok"), ({"collection": "gone"}, "degraded")):
        raw = json.dumps({"model": "small@novel", "messages": [QUESTION], "rag": rag})
        response = await post(ours, raw)
        assert upstream.sent["model"] == "small"
        assert response.headers["x-rag-status"] == status
    response = await post(ours, json.dumps({"model": "small@gone", "messages": [QUESTION]}))
    assert upstream.sent["model"] == "small"
    assert "There is no collection 'gone'" in response.json()["rag"]["reason"]


async def test_several_collections_at_once(client: Make, book: Any) -> None:
    raw = json.dumps({"messages": [QUESTION], "rag": {"collection": "novel, lexicon"}})
    await post(client(book), raw)
    assert book.asked[-1].collections == ("novel", "lexicon")


@pytest.mark.parametrize("stream", [False, True])
async def test_footers_by_default_and_by_request(
    talk: Make, book: Any, upstream: Any, stream: bool
) -> None:
    ours = talk(sources="footer")
    upstream.extra = {"choices": [{"message": {"content": "Ok."}, "finish_reason": "stop"}]}
    ours.fields = {"stream": stream}
    text = (await ours.send(QUESTION)).text
    assert "Canon consulted:\\n- Elena (elena.md)" in text
    assert '"rag": {"status": "ok"' in text
    ours.fields = {"stream": stream, "rag": {"sources": "none"}}
    text = (await ours.send()).text
    assert "consulted" not in text
    assert "rag" not in text


async def test_a_footer_that_comes_back_does_not_reach_the_model(talk: Make, upstream: Any) -> None:
    ours = talk(sources="footer")
    answer = {"role": "assistant", "content": "Ok.\n"}
    upstream.extra = {"choices": [{"message": answer, "finish_reason": "stop"}]}
    first = await ours.ask(QUESTION["content"])
    assert "Canon consulted" in ours.messages[-1]["content"]
    second = await ours.ask("And Jonas ?")
    assert second[:2] == [*first, answer]
    ours.fields = {"rag": {"enabled": False}}
    assert "consulted" not in json.dumps(await ours.ask("Go on"))


async def test_the_oldest_lore_gives_way_in_one_step(talk: Make, book: Any, upstream: Any) -> None:
    """A word is a token here: each turn brings a note of 300 and a question of a few."""
    upstream.window = 4000
    for i in range(16):
        book.write(f"note{i:02}.md", f"topic{i:02} " + "word " * 299, title=f"Note {i}")
    ours = talk(always_tokens=0)
    drops: list[tuple[int, int]] = []
    before: list[Any] = []
    for i in range(16):
        response = await ours.send({"role": "user", "content": f"about topic{i:02}"})
        ours.messages.append({"role": "assistant", "content": "Ok."})
        told = ours.told
        assert "word" in told[-1]["content"]  # the newest turn has its lore
        size = sum(3 + len(message["content"].split()) for message in told)
        assert size + 1000 <= upstream.window
        if "x-rag-trimmed" in response.headers:
            drops.append((i, int(response.headers["x-rag-trimmed"])))
        else:
            assert told[: len(before)] == before
        before = told
    assert len(drops) >= 2
    assert all(number >= 3 for _, number in drops)
    assert all(later[0] - earlier[0] >= 3 for earlier, later in pairwise(drops))


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_that_is_too_long_is_clamped_and_told(
    talk: Make, upstream: Any, field: str
) -> None:
    upstream.window = 2000
    ours = talk()
    ours.fields = {field: 1900, "seed": 1.0}
    response = await ours.send({"role": "user", "content": "Elena " + "word " * 600})
    limit = int(response.headers["x-rag-max-tokens"])
    assert upstream.sent[field] == limit
    size = sum(3 + len(message["content"].split()) for message in ours.told)
    assert 1000 < limit <= 2000 - size
    assert ELENA in ours.told[0]["content"]


async def test_a_conversation_too_long_by_itself_goes_on_as_it_is(
    talk: Make, upstream: Any
) -> None:
    upstream.window = 500
    ours = talk()
    ours.fields = {"max_tokens": 100}
    response = await ours.send({"role": "user", "content": "Elena " + "word " * 600})
    assert upstream.sent["max_tokens"] == 100
    assert ours.told == ours.messages
    assert response.headers["x-rag-trimmed"] == "2"


async def test_an_upstream_without_tokenizer_is_fitted_by_estimate(
    talk: Make, upstream: Any
) -> None:
    upstream.tokenizer, upstream.window = False, 2000
    ours = talk()
    ours.fields = {"max_tokens": 700}
    response = await ours.send({"role": "user", "content": "Elena " + "word " * 1000})
    assert response.headers["x-rag-trimmed"] == "2"
    assert int(response.headers["x-rag-max-tokens"]) == upstream.sent["max_tokens"] < 700


async def test_no_max_tokens_are_invented(talk: Make, upstream: Any) -> None:
    upstream.window = 2000
    await talk().send({"role": "user", "content": "Elena " + "word " * 600})
    assert "max_tokens" not in upstream.sent


async def test_always_notes_have_a_budget_of_their_own(
    talk: Make, book: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        words = "word " * (200 if name == "b" else 20)
        book.write(f"{name}.md", f"{name} rule {words}", always=True)
    ours = talk(always_tokens=100)
    system = (await ours.ask("Elena ?"))[0]["content"]
    assert "a rule" in system
    assert "b rule" not in system
    assert "c rule" in system
    await ours.ask("Jonas ?")
    warned = capsys.readouterr().err
    assert warned.count("exceed ALWAYS_BUDGET_TOKENS=100; left out: b.md.") == 1


async def test_hung_searches_do_not_hold_up_the_author(client: Make, book: Any) -> None:
    release = threading.Event()
    book.search = lambda request: release.wait() and None
    ours = client(book, retrieval_seconds=0.02)
    reasons = []
    for _ in range(10):
        response = await post(ours, json.dumps({"messages": [QUESTION]}))
        assert response.headers["x-rag-status"] == "degraded"
        reasons.append(response.json()["rag"]["reason"])
    release.set()
    assert reasons[0] == "no result in 0.02 s"
    assert reasons[-1] == "8 searches hang"


@pytest.mark.parametrize(
    "path",
    ["completions", "responses", "messages", "messages/count_tokens", "responses/a%2Fb/cancel"],
)
async def test_other_routes_pass_byte_for_byte(
    client: Make, book: Any, upstream: Any, path: str
) -> None:
    raw = b'{ "prompt": [1.0, 1e400], "messages":[{"role":"user","content":"Elena"}], "rag":1 }\n'
    response = await client(book).post(f"/v1/{path}", content=raw, headers={"x-rag-pov": "x"})
    assert (response.status_code, response.content) == (201, raw[::-1])
    sent = upstream.requests[-1]
    assert (sent.content, sent.url.raw_path.decode()) == (raw, f"/v1/{path}")
    assert book.asked == []


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/rag/explain", "/rag/search"])
async def test_any_depth_of_nesting_is_answered(client: Make, book: Any, route: str) -> None:
    ours = client(book)
    statuses = set()
    for depth in (10, *range(700, 1000, 13), 20_000):
        deep = "[" * depth + "]" * depth
        raw = '{"messages": [{"role": "user", "content": [{"type": "text", "text": "Elena"}, %s]}]}'
        response = await ours.post(route, content=raw % deep)
        statuses.add(response.status_code)
        assert response.status_code == 200 or "JSON" in response.text or "nested" in response.text
    assert statuses == {200, 400}


async def test_what_the_upstream_finds_too_long_goes_on_without_canon(
    talk: Make, upstream: Any
) -> None:
    """Its window is smaller than it told: an image, or another model started meanwhile."""
    upstream.longest = 25
    ours = talk()
    response = await ours.send({"role": "user", "content": "Who is Elena on the ship ?"})
    assert (response.status_code, response.headers["x-rag-status"]) == (200, "degraded")
    assert response.headers["x-rag-trimmed"] == "2"
    assert "longer than the model's window" in response.json()["rag"]["reason"]
    assert ours.told == ours.messages
    await ours.send(
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "tool_call_id": "1", "content": "x"},
    )
    assert ours.told == ours.messages  # the turn keeps what it was given


async def test_what_is_too_long_by_itself_gets_the_upstreams_error(
    talk: Make, upstream: Any
) -> None:
    upstream.longest = 5
    response = await talk().send({"role": "user", "content": "Who is Elena on the ship ?"})
    assert response.status_code == 400
    assert "maximum context length is 5" in response.json()["error"]["message"]
    assert response.headers["x-rag-status"] == "degraded"


async def test_a_model_started_meanwhile_is_known(talk: Make, upstream: Any) -> None:
    ours = talk()
    await ours.ask("Elena ?")
    upstream.models, upstream.window = ["other"], 100
    ours.client._transport.app.state.injector.models._asked -= 100
    ours.fields = {"model": "other"}
    response = await ours.send({"role": "user", "content": "Elena " + "word " * 60})
    assert response.headers["x-rag-trimmed"] == "2"
