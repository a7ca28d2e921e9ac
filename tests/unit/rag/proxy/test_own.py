"""/rag/search and /rag/explain: the same canon that a chat would be given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Any]


async def test_explain_tells_everything_and_changes_nothing(
    talk: Make, book: Any, upstream: Any
) -> None:
    book.write("style.md", "Short sentences.", always=True)
    book.write("long.md", "Elena " + "word " * 3000, title="Long")
    ours = talk()
    asked = {"query": "Elena on the ship", "top_k": 9, "as_of": 2, "pov": "Jonas"}
    for _ in range(2):
        found = (await ours.client.post("/rag/explain", json=asked)).json()
    assert (found["query"], found["as_of"], found["pov"]) == ("Elena on the ship", 2, "Jonas")
    assert (found["status"], found["collections"]) == ("ok", ["novel"])
    (always,) = found["always"]
    assert (always["path"], always["why"]) == ("style.md", "always")
    elena = found["passages"][0]
    assert (elena["path"], elena["score"], elena["why"]) == ("elena.md", 3, "3 words")
    assert elena["text"] == "Elena repairs sounders on the ship."
    assert elena["tokens"] > 5
    (dropped,) = [entry for entry in found["dropped"] if entry["path"] == "long.md"]
    assert "2000 were left" in dropped["reason"]
    assert dropped["tokens"] > 3000
    budget = found["budget"]
    assert (budget["tokens"], budget["always_tokens"]) == (2000, 1000)
    assert budget["used"] == sum(entry["tokens"] for entry in found["passages"])
    assert budget["counter"] == "estimate"
    # It is exactly what a chat is sent, and explaining it left no trace.
    rules = {key: asked[key] for key in ("top_k", "as_of", "pov")}
    ours.fields = {"rag": rules}
    assert await ours.ask("Elena on the ship") == found["messages"]


async def test_explain_of_a_conversation_shows_what_was_given_before(talk: Make) -> None:
    ours = talk()
    first = await ours.ask("Elena on the ship")
    messages = [*ours.messages, {"role": "user", "content": "And Jonas of the ford ?"}]
    found = (await ours.client.post("/rag/explain", json={"messages": messages})).json()
    assert found["messages"][:1] == first
    assert [entry["path"] for entry in found["passages"]] == ["jonas.md", "war.md"]


async def test_search_uses_the_conversation(talk: Make, book: Any) -> None:
    ours = talk()
    messages = [
        {"role": "user", "content": "Elena ?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "And the ship ?"},
    ]
    response = await ours.client.post("/rag/search", json={"messages": messages, "top_k": 1})
    (result,) = response.json()["results"]
    assert result["path"] == "elena.md"
    assert book.asked[-1].history == (("user", "Elena ?"), ("assistant", "Yes."))
    headers = {"x-rag-as-of": "1"}
    await ours.client.post("/rag/search", json={"query": "x"}, headers=headers)
    assert book.asked[-1].as_of == 1


@pytest.mark.parametrize("path", ["/rag/search", "/rag/explain"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[", "The body is not JSON."),
        ("[]", "The body is not a JSON object."),
        ("{}", "Give the question"),
        ('{"query": " "}', "Give the question"),
        ('{"messages": [7]}', "Give the question"),
        ('{"messages": [{"role": "user", "content": null}]}', "Give the question"),
        ('{"query": "x", "asof": 1}', "has no key 'asof'"),
        ('{"query": "x", "top_k": "many"}', "rag.top_k is 'many'"),
    ],
)
async def test_wrong_questions(talk: Make, path: str, body: str, message: str) -> None:
    response = await talk().client.post(path, content=body)
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


async def test_a_lone_surrogate_is_no_error(talk: Make) -> None:
    for path in ("/rag/search", "/rag/explain"):
        response = await talk().client.post(path, content='{"query": "Elena \\ud800"}')
        assert response.status_code == 200


async def test_search_finds_what_step_4_finds(collection: Path, client: Make) -> None:
    from scifi_llm.rag.passages import SearchRequest
    from scifi_llm.rag.retrieval import Retriever

    question = "Who repairs the sounders?"
    found = Retriever(collection, "novel").search(SearchRequest(question)).passages
    response = await client().post("/rag/search", json={"query": question})
    paths = [entry["path"] for entry in response.json()["results"]]
    assert paths == [passage.chunk.note.path for passage in found]
