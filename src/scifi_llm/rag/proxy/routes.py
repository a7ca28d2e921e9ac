"""The proxy's routes, each a call of a named function."""

from __future__ import annotations

import hmac
import json
import logging
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from ...errors import ToolkitError
from ...openai_api import (
    Upstream,
    UpstreamError,
    error_body,
    error_message,
    last_user_index,
    relay,
    sse,
    text_of,
)
from .. import store
from .injection import Injected, find, inject
from .settings import ProxySettings, RagOptions, rag_options

log = logging.getLogger("scifi_llm.proxy")
router = APIRouter()

# Of one connection, not of the message (RFC 9110, section 7.6.1); host and length are set anew.
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
}


def upstream_headers(request: Request, settings: ProxySettings) -> dict[str, str]:
    """The client's headers for the upstream, without our own key."""
    drop = HOP_BY_HOP | {"accept-encoding"} | ({"authorization"} if settings.api_key else set())
    kept = {key: value for key, value in request.headers.items() if key not in drop}
    return {**kept, "accept-encoding": "identity"}


def client_headers(response: Any, drop: tuple[str, ...] = ()) -> dict[str, str]:
    """The upstream's headers for the client."""
    return {
        key: value
        for key, value in response.headers.items()
        if key.lower() not in HOP_BY_HOP and key.lower() not in drop
    }


def refusal(request: Request, settings: ProxySettings) -> JSONResponse | None:
    """A 401 where RAG_API_KEY is set and the client does not have it."""
    if not settings.api_key or request.url.path == "/health":
        return None
    given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
    if hmac.compare_digest(given, settings.api_key.encode()):
        return None
    return failure(401, "The API key is not the proxy's RAG_API_KEY.", "invalid_api_key")


def failure(status: int, message: str, kind: str = "invalid_request_error") -> JSONResponse:
    """An OpenAI-shaped error."""
    return JSONResponse(error_body(message, kind, status), status_code=status)


@router.post("/v1/chat/completions")
async def chat_completions(request: Request) -> Response:
    """Chat with canon."""
    state = request.app.state
    raw = await request.body()
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return failure(400, "The body is not JSON.")
    if not isinstance(body, dict):
        return failure(400, "The body is not a JSON object.")
    try:
        options = rag_options(body.pop("rag", None))
    except ToolkitError as error:
        return failure(400, error.problem)
    injected = await inject(state.retriever, body, options, state.settings)
    if injected.status == "degraded":
        log.warning("answering without canon: %s", injected.reason)
    return await forward_chat(request, injected, options)


async def forward_chat(request: Request, injected: Injected, options: RagOptions) -> Response:
    """Send a chat request on and relay its answer with the sources."""
    upstream: Upstream = request.app.state.upstream
    content = json.dumps(injected.body, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        response = await upstream.send(
            "POST",
            "chat/completions",
            upstream_headers(request, request.app.state.settings),
            content,
            request.url.query,
        )
    except UpstreamError as error:
        return marked(failure(error.status, error.message, "upstream_error"), injected)
    if response.status_code >= 400:
        return marked(await upstream_failure(upstream, response), injected)
    sources = sources_field(injected, options)
    headers = {**client_headers(response), **rag_headers(injected)}
    if "text/event-stream" in response.headers.get("content-type", ""):
        event = sse(sources_chunk(injected.body, sources)) if sources else b""
        return StreamingResponse(relay(response, event), response.status_code, headers)
    try:
        answer = await response.aread()
    finally:
        await response.aclose()
    return Response(with_sources(answer, sources), response.status_code, headers)


def rag_headers(injected: Injected) -> dict[str, str]:
    """What every chat answer tells of its canon."""
    return {"x-rag-status": injected.status}


def marked(response: Response, injected: Injected) -> Response:
    """`response` with our headers."""
    response.headers.update(rag_headers(injected))
    return response


def sources_field(injected: Injected, options: RagOptions) -> dict[str, Any] | None:
    """The field `rag` of an answer, or None where the client wants none."""
    if options.sources == "none" or injected.status == "disabled":
        return None
    field: dict[str, Any] = {
        "status": injected.status,
        "sources": [passage.source() for passage in injected.passages],
    }
    return {**field, "reason": injected.reason} if injected.reason else field


def sources_chunk(body: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    """The stream's chunk with the sources: no choices, so that clients add no text."""
    return {
        "id": "rag-sources",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": str(body.get("model", "")),
        "choices": [],
        "rag": sources,
    }


def with_sources(answer: bytes, sources: dict[str, Any] | None) -> bytes:
    """A JSON answer with the field `rag`; anything else as it is."""
    if not sources:
        return answer
    try:
        body = json.loads(answer)
    except ValueError:
        return answer
    return (
        json.dumps({**body, "rag": sources}, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if isinstance(body, dict)
        else answer
    )


async def upstream_failure(upstream: Upstream, response: Any) -> Response:
    """The upstream's error as it is; a 404 also names the models that are served."""
    try:
        body = await response.aread()
    finally:
        await response.aclose()
    headers = client_headers(response)
    if response.status_code != 404:
        return Response(body, response.status_code, headers)
    names = [str(entry.get("id")) for entry in await upstream.served_models()]
    if not names:
        return Response(body, 404, headers)
    message = f"{error_message(body)} Served here: {', '.join(names)}."
    return failure(404, message, "NotFoundError")


@router.get("/health")
async def health(request: Request) -> dict[str, Any]:
    """Whether the proxy, its collection and its upstream are there."""
    state = request.app.state
    models = await state.upstream.served_models()
    entry = None
    try:
        entry = store.manifest(state.retriever.root, state.settings.collection)
    except ToolkitError as error:
        log.warning("%s", error)
    return {
        "status": "ok",
        "collection": state.settings.collection,
        "chunks": entry.chunks if entry else 0,
        "embedding_model": entry.model if entry else None,
        "updated": entry.created if entry else None,
        "upstream": {
            "url": state.settings.upstream_url,
            "status": "ok" if models else "down",
            "models": [entry.get("id") for entry in models],
        },
    }


@router.get("/rag/collections")
async def collections(request: Request) -> dict[str, Any]:
    """The collections that a request may name."""
    found = store.collections(request.app.state.retriever.root)
    keys = ("name", "chunks", "files", "model", "dimension", "created")
    return {"collections": [{key: getattr(entry, key) for key in keys} for entry in found]}


@router.post("/rag/search")
async def search(request: Request) -> Response:
    """The passages that a question would put before the model."""
    state = request.app.state
    try:
        body = json.loads(await request.body())
        if not isinstance(body, dict):
            raise ValueError("object")
    except (ValueError, RecursionError):
        return failure(400, "The body is not a JSON object.")
    query = search_query(body)
    if not query:
        return failure(400, "Give the question as 'query' or as 'messages'.")
    try:
        options = rag_options({k: v for k, v in body.items() if k not in ("query", "messages")})
        passages = await find(state.retriever, query, options, state.settings)
    except TimeoutError:
        return failure(504, "The search took too long.", "rag_error")
    except ToolkitError as error:
        return failure(400, str(error), "rag_error")
    return JSONResponse({"results": [passage.result() for passage in passages]})


def search_query(body: dict[str, Any]) -> str:
    """`query`, else the text of the newest user message, else ""."""
    query, messages = body.get("query"), body.get("messages")
    if isinstance(query, str):
        return query.strip()
    at = last_user_index(messages) if isinstance(messages, list) else None
    return text_of(messages[at].get("content")).strip() if at is not None and messages else ""


@router.api_route(
    "/v1/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
)
async def pass_through(request: Request, path: str) -> Response:
    """Every other route of the upstream, byte for byte."""
    state = request.app.state
    try:
        response = await state.upstream.send(
            request.method,
            path,
            upstream_headers(request, state.settings),
            await request.body(),
            request.url.query,
        )
    except UpstreamError as error:
        return failure(error.status, error.message, "upstream_error")
    return StreamingResponse(relay(response), response.status_code, client_headers(response))
