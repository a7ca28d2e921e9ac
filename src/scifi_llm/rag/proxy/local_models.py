"""/v1/embeddings and /v1/rerank, answered by the collection's embedding model.

vLLM serves one model, and it is the one that writes. Editors also want embeddings and a reranker;
what the upstream does not have is answered here, on the CPU, with OpenAI's and Jina's formats.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from ...errors import ToolkitError
from ...openai_api import UpstreamError, relay
from .routes import client_headers, failure, upstream_headers

if TYPE_CHECKING:
    from ..embedding import Embedder

T = TypeVar("T")
router = APIRouter()

MAX_INPUTS = 2048  # OpenAI's own limit
MAX_CHARACTERS = 1_000_000  # in all: about two minutes of one core
# What vLLM and others answer where they have no such route or no such model.
NOT_SERVED = {404, 405, 501}
# One at a time and in a thread of their own, so that a long job keeps no question waiting.
_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="local-models")


@router.post("/v1/embeddings")
async def embeddings(request: Request) -> Response:
    """OpenAI's embeddings: the upstream's, else those of the collection's model."""
    return await _answer(request, "embeddings", embed)


@router.post("/v1/rerank")
async def rerank(request: Request) -> Response:
    """Jina's rerank format: the upstream's, else by cosine of the collection's model."""
    return await _answer(request, "rerank", score)


async def _answer(
    request: Request, path: str, work: Callable[[Embedder, dict[str, Any]], dict[str, Any]]
) -> Response:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        return failure(400, "The body is not JSON.")
    if not isinstance(body, dict):
        return failure(400, "The body is not a JSON object.")
    retriever = request.app.state.retriever
    try:
        embedder = await _in_worker(
            lambda: retriever.embedder(retriever.collection().manifest.model)
        )
    except ToolkitError as error:
        upstreams = await _upstream(request, path)
        return upstreams or failure(503, str(error), "rag_error")
    if body.get("model") not in (None, "", embedder.name):
        upstreams = await _upstream(request, path)
        if upstreams:
            return upstreams
    try:
        return JSONResponse(await _in_worker(lambda: work(embedder, body)))
    except ToolkitError as error:
        return failure(400, str(error))


async def _in_worker(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_worker, work)


async def _upstream(request: Request, path: str) -> Response | None:
    """The upstream's answer, or None where it is down or has nothing of the kind."""
    state = request.app.state
    try:
        response = await state.upstream.send(
            "POST",
            path,
            upstream_headers(request, state.settings),
            await request.body(),
            request.url.query,
        )
    except UpstreamError:
        return None
    if response.status_code in NOT_SERVED:
        await response.aclose()
        return None
    return StreamingResponse(relay(response), response.status_code, client_headers(response))


def embed(embedder: Embedder, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to an embeddings request.

    Vectors have unit length; text beyond the model's limit is cut off. Raises ToolkitError where
    the request asks for something the model cannot give.
    """
    texts = _inputs(body.get("input"))
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise ToolkitError(f"encoding_format is {encoding!r}; it must be 'float' or 'base64'.")
    if body.get("dimensions") not in (None, embedder.dimension):
        raise ToolkitError(f"{embedder.name} gives {embedder.dimension} dimensions and no others.")
    vectors = embedder.encode_documents(texts)
    tokens = sum(min(embedder.count(text), embedder.max_tokens) for text in texts)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": vector.tolist()
            if encoding == "float"
            else base64.b64encode(vector.astype("<f4").tobytes()).decode(),
        }
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": embedder.name, "usage": usage}


def score(embedder: Embedder, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a rerank request, best first, as `results` and as `data`.

    Raises ToolkitError where query or documents are missing or too large.
    """
    query = body.get("query")
    if not isinstance(query, str) or not query.strip():
        raise ToolkitError("query must be a text.")
    (query,) = _inputs(query, "query")
    texts = _inputs(_texts(body.get("documents")), "documents")
    top = body.get("top_n")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise ToolkitError(f"top_n is {top!r}; it must be a whole number above 0.")
    scores = embedder.encode_documents(texts) @ embedder.encode_query(query)
    order = sorted(range(len(texts)), key=lambda i: (-float(scores[i]), i))[:top]
    results = [
        {
            "index": i,
            "relevance_score": round(float(scores[i]), 6),
            "document": {"text": texts[i]},
        }
        for i in order
    ]
    tokens = sum(min(embedder.count(text), embedder.max_tokens) for text in [query, *texts])
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {
        "object": "list",
        "model": embedder.name,
        "results": results,
        "data": results,
        "usage": usage,
    }


def _texts(documents: Any) -> Any:
    """Documents as texts: Cohere's and Jina's clients may send {"text": …}."""
    if not isinstance(documents, list):
        return documents
    return [entry.get("text") if isinstance(entry, dict) else entry for entry in documents]


def _inputs(value: Any, name: str = "input") -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise ToolkitError(f"{name} must be a text or a list of texts.")
    if len(texts) > MAX_INPUTS:
        raise ToolkitError(f"{name} holds {len(texts)} texts; at most {MAX_INPUTS} are taken.")
    for text in texts:
        if isinstance(text, int | list):
            raise ToolkitError(f"{name} holds token numbers; send texts: the tokenizers differ.")
        if not isinstance(text, str) or not text:
            raise ToolkitError(f"{name} must hold texts, none of them empty.")
    length = sum(map(len, texts))
    if length > MAX_CHARACTERS:
        raise ToolkitError(f"{name} has {length} characters; at most {MAX_CHARACTERS} are taken.")
    # JSON may hold half a surrogate pair, which no tokenizer takes.
    return [text.encode("utf-8", "replace").decode() for text in texts]
