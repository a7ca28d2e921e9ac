"""/v1/chat/completions: the one route that canon is put into."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from ...errors import ToolkitError
from ...openai_api import Upstream, UpstreamError, error_message, read_whole, relay, sse
from .. import store
from .body import ChatBody
from .footer import footer
from .forward import client_headers, failure, upstream_headers
from .injection import Injected, Injector
from .options import RagOptions, rag_options, split_model
from .streams import sources_chunk, takes_footer, with_footer, with_sources

log = logging.getLogger("scifi_llm.proxy")
router = APIRouter()


@router.post("/v1/chat/completions")
async def chat_completions(request: Request) -> Response:
    """Chat with canon."""
    raw = await request.body()
    try:
        body = ChatBody(raw)
    except (ValueError, RecursionError):
        return failure(400, "The body is not JSON.")
    except TypeError as error:
        return failure(400, str(error))
    try:
        options = rag_options(body.fields.get("rag"), request.headers)
    except ToolkitError as error:
        return failure(400, error.problem)
    try:
        return await answer(request, body, options)
    except RecursionError:
        return failure(400, "The body is nested too deeply.")


async def answer(request: Request, body: ChatBody, options: RagOptions) -> Response:
    """Find canon, ask the upstream and begin its answer."""
    injector: Injector = request.app.state.injector
    options = await model_suffix(injector, body, options)
    headers = upstream_headers(request, injector.settings)
    injected = await injector.inject(body, options, headers)
    if injected.status == "degraded":
        log.warning("answering without canon: %s", injected.reason)
    upstream: Upstream = request.app.state.upstream
    query = request.url.query
    try:
        response = await upstream.send("POST", "chat/completions", headers, injected.content, query)
        if injected.filled and await too_long(response):
            injected = await injector.without(body, options, headers, injected)
            response = await upstream.send(
                "POST", "chat/completions", headers, injected.content, query
            )
    except UpstreamError as error:
        ours = rag_headers(injected)
        return failure(error.status, error.message, "upstream_error", ours)
    request.state.injected = injected
    if response.status_code >= 400:
        return await upstream_failure(upstream, response, injected)
    return await relayed(response, body, options, injected, injector.settings.sources)


async def too_long(response: Any) -> bool:
    """Did the upstream refuse a prompt for its length? Its answer stays readable."""
    if response.status_code != 400:
        return False
    try:
        found = error_message(await read_whole(response))
    finally:
        await response.aclose()
    return "context length" in found or "max_model_len" in found


async def model_suffix(injector: Injector, body: ChatBody, options: RagOptions) -> RagOptions:
    """Take "@collection" off the model's name; what body and headers name goes before it."""
    model = body.fields.get("model")
    if not isinstance(model, str) or "@" not in model:
        return options
    root = getattr(injector.lookup.searcher, "root", None)
    known = {entry.name for entry in store.collections(root)} if root else set()
    split = split_model(model, await injector.models.served(), known)
    if split is None:
        return options
    body.fields["model"] = split[0]
    body.set_field("model", split[0])
    return options if options.collections else replace(options, collections=split[1])


async def relayed(
    response: Any, body: ChatBody, options: RagOptions, injected: Injected, default: str
) -> Response:
    """The upstream's answer with what is added to it, as it comes."""
    wanted = options.sources or default
    sources = sources_field(injected) if wanted != "none" else None
    foot = footer(injected.sources) if wanted == "footer" and takes_footer(body.fields) else ""
    headers = {**client_headers(response), **rag_headers(injected)}
    if "text/event-stream" in response.headers.get("content-type", ""):
        event = sse(sources_chunk(str(body.fields.get("model", "")), sources)) if sources else b""
        stream = relay(response, event)
        if foot:
            stream = with_footer(stream, foot)
        return StreamingResponse(stream, response.status_code, headers)
    try:
        content = await read_whole(response)
    finally:
        await response.aclose()
    if sources or foot:
        content = with_sources(content, sources, foot)
    return Response(content, response.status_code, headers)


def rag_headers(injected: Injected) -> dict[str, str]:
    """What every chat answer tells of its canon."""
    headers = {"x-rag-status": injected.status}
    if injected.trimmed:
        headers["x-rag-trimmed"] = str(injected.trimmed)
    if injected.max_tokens:
        headers["x-rag-max-tokens"] = str(injected.max_tokens)
    return headers


def sources_field(injected: Injected) -> dict[str, Any] | None:
    """The field `rag` of an answer; None where canon was switched off."""
    if injected.status == "disabled":
        return None
    field: dict[str, Any] = {"status": injected.status, "sources": injected.sources}
    return {**field, "reason": injected.reason} if injected.reason else field


async def upstream_failure(upstream: Upstream, response: Any, injected: Injected) -> Response:
    """The upstream's error as it is; a 404 also names the models that are served."""
    try:
        content = await read_whole(response)
    finally:
        await response.aclose()
    ours = rag_headers(injected)
    names: list[str] = []
    if response.status_code == 404:
        names = [str(entry.get("id")) for entry in await upstream.served_models()]
    if not names:
        headers = {**client_headers(response), **ours}
        return Response(content, response.status_code, headers)
    message = f"{error_message(content)} Served here: {', '.join(names)}."
    return failure(404, message, "NotFoundError", ours)
