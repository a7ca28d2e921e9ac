"""/v1/embeddings and /v1/rerank with the bundled model behind a real `openai` client."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.errors import ToolkitError
from scifi_llm.rag.embedding import BUNDLED, Embedder
from scifi_llm.rag.proxy import local_models

Client = Callable[..., httpx.AsyncClient]


class Loaded:
    """A retriever whose collection and model are open."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def collection(self) -> Any:
        return SimpleNamespace(manifest=SimpleNamespace(model=self._embedder.name))

    def embedder(self, name: str) -> Embedder:
        assert name == self._embedder.name
        return self._embedder


@pytest.fixture
def local(client: Client, embedder: Embedder) -> Client:
    """A client of a proxy that has its model loaded."""
    return lambda: client(Loaded(embedder))


def spoken_to(client: httpx.AsyncClient) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url="http://127.0.0.1:8001/v1", api_key="EMPTY", http_client=client, max_retries=0
    )


def numbers(vector: Any) -> np.ndarray:
    """The client decodes base64 only where it asked for it by itself."""
    if isinstance(vector, str):
        return np.frombuffer(base64.b64decode(vector), dtype="<f4")
    return np.array(vector)


@pytest.mark.parametrize("form", ["float", "base64", openai.omit])
async def test_the_openai_client_gets_the_vectors_of_the_model(
    collection: Path, client: Client, embedder: Embedder, form: Any
) -> None:
    texts = ["Elena repairs sounders.", "A short one.", "Ünïcode — too."]
    answer = await spoken_to(client()).embeddings.create(
        model=BUNDLED, input=texts, encoding_format=form
    )
    wanted = embedder.encode_documents(texts)
    assert np.allclose([numbers(entry.embedding) for entry in answer.data], wanted, atol=1e-5)
    assert [entry.index for entry in answer.data] == [0, 1, 2]
    assert answer.model == BUNDLED
    assert answer.usage.total_tokens == sum(map(embedder.count, texts))


async def test_half_a_character_does_no_harm(local: Client) -> None:
    bodies = {
        "embeddings": rb'{"input": "a \ud800 b"}',
        "rerank": rb'{"query": "\udfff", "documents": ["\ud800"]}',
    }
    for path, content in bodies.items():
        assert (await local().post(f"/v1/{path}", content=content)).status_code == 200


async def test_one_text_may_stand_alone(local: Client) -> None:
    answer = await local().post("/v1/embeddings", json={"input": "Elena", "dimensions": 384})
    (entry,) = answer.json()["data"]
    assert len(entry["embedding"]) == 384
    assert abs(sum(x * x for x in entry["embedding"]) - 1) < 1e-4


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "input must be a text or a list of texts."),
        ({"input": []}, "input must be a text or a list of texts."),
        ({"input": ""}, "input must hold texts, none of them empty."),
        ({"input": [1, 2]}, "input holds token numbers; send texts: the tokenizers differ."),
        ({"input": [[1, 2]]}, "input holds token numbers; send texts: the tokenizers differ."),
        ({"input": ["a", None]}, "input must hold texts, none of them empty."),
        ({"input": ["a"] * 2049}, "input holds 2049 texts; at most 2048 are taken."),
        ({"input": "a" * 1_000_001}, "input has 1000001 characters; at most 1000000 are taken."),
        ({"input": "a", "dimensions": 256}, f"{BUNDLED} gives 384 dimensions and no others."),
        (
            {"input": "a", "encoding_format": "hex"},
            "encoding_format is 'hex'; it must be 'float' or 'base64'.",
        ),
    ],
)
async def test_what_cannot_be_embedded_is_refused_in_words(
    local: Client, body: dict[str, Any], message: str
) -> None:
    answer = await local().post("/v1/embeddings", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message


@pytest.mark.parametrize("path", ["embeddings", "rerank"])
@pytest.mark.parametrize("content", [b"no json", b"[1]", b"[" * 100_000])
async def test_a_body_that_is_no_object_is_refused(
    local: Client, path: str, content: bytes
) -> None:
    answer = await local().post(f"/v1/{path}", content=content)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("The body is not")


async def test_rerank_puts_the_answer_first_in_both_forms(local: Client) -> None:
    documents = ["The war begins.", {"text": "Elena repairs sounders."}, "Jonas sells maps."]
    answer = await local().post(
        "/v1/rerank", json={"query": "Who mends sounders?", "documents": documents, "top_n": 2}
    )
    found = answer.json()
    assert found["results"] == found["data"]
    assert found["results"][0]["index"] == 1
    assert found["results"][0]["document"] == {"text": "Elena repairs sounders."}
    assert found["results"][0]["relevance_score"] > found["results"][1]["relevance_score"]
    assert len(found["results"]) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"documents": ["a"]}, "query must be a text."),
        ({"query": "a"}, "documents must be a text or a list of texts."),
        ({"query": "a", "documents": [{}]}, "documents must hold texts, none of them empty."),
        (
            {"query": "a", "documents": ["b"], "top_n": 0},
            "top_n is 0; it must be a whole number above 0.",
        ),
    ],
)
async def test_what_cannot_be_ranked_is_refused_in_words(
    local: Client, body: dict[str, Any], message: str
) -> None:
    answer = await local().post("/v1/rerank", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == message


async def test_an_upstream_that_has_the_model_answers_itself(local: Client, upstream: Any) -> None:
    content = b'{"model": "its-own", "input": "Elena"}'
    answer = await local().post("/v1/embeddings", content=content)
    assert answer.status_code == 201
    assert answer.content == content[::-1]
    assert upstream.requests[-1].url.path == "/v1/embeddings"


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_an_upstream_without_embeddings_is_stood_in_for(
    local: Client, upstream: Any, status: int
) -> None:
    upstream.answer = lambda _: httpx.Response(status, json={"error": {"message": "no"}})
    answer = await local().post("/v1/embeddings", json={"model": "other", "input": "Elena"})
    assert answer.status_code == 200
    assert answer.json()["model"] == BUNDLED


async def test_embeddings_are_there_while_the_upstream_is_down(
    local: Client, upstream: Any
) -> None:
    upstream.failure = httpx.ConnectError("refused")
    answer = await local().post("/v1/embeddings", json={"model": "other", "input": "Elena"})
    assert answer.status_code == 200


class Flat:
    """Gives every text the same vector."""

    name, dimension, max_tokens = "flat", 2, 9

    def count(self, text: str) -> int:
        return len(text.encode())

    def encode_documents(self, texts: list[str]) -> np.ndarray:
        return np.ones((len(texts), 2), dtype=np.float32)

    def encode_query(self, text: str) -> np.ndarray:
        text.encode()
        return np.ones(2, dtype=np.float32)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("text") | st.text(), inner),
    max_leaves=5,
)
keys = ("input", "encoding_format", "dimensions", "query", "documents", "top_n")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(keys, json_values)))
def test_whatever_is_asked_is_answered_or_refused_in_words(body: dict[str, Any]) -> None:
    for work in (local_models.embed, local_models.score):
        with suppress(ToolkitError):
            answer = work(Flat(), body)  # type: ignore[arg-type]
            assert json.dumps(answer)
            assert answer["data"]


async def test_a_long_job_keeps_nobody_waiting(client: Client, embedder: Embedder) -> None:
    begun, may_end = threading.Event(), threading.Event()

    class Slow(Loaded):
        def collection(self) -> Any:
            begun.set()
            assert may_end.wait(60)
            return super().collection()

    async with client(Slow(embedder)) as asking:
        job = asyncio.create_task(asking.post("/v1/embeddings", json={"input": "Elena"}))
        assert await asyncio.to_thread(begun.wait, 60)
        assert (await asking.get("/v1/models")).status_code == 200
        assert not job.done()
        may_end.set()
        assert (await job).status_code == 200


async def test_without_a_collection_the_error_names_the_command(
    client: Client, upstream: Any
) -> None:
    upstream.failure = httpx.ConnectError("refused")
    answer = await client().post("/v1/embeddings", json={"input": "Elena"})
    assert answer.status_code == 503
    assert "RAG/2_embed_and_store.py --collection novel" in answer.json()["error"]["message"]
