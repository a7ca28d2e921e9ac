"""The proxy's own routes: /health, /rag/search, /rag/explain and /rag/collections."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...errors import ToolkitError
from ...openai_api import last_user_index, text_of
from .. import store
from ..passages import Dropped
from ..tokens import TokenCounter, is_exact
from .body import ChatBody
from .forward import failure, upstream_headers
from .injection import Injected, Injector
from .lookup import described, search_request
from .options import RagOptions, rag_options
from .streams import as_json
from .transcript import history
from .window import count_tokens

log = logging.getLogger("scifi_llm.proxy")
router = APIRouter()
_ASKED = ("query", "messages", "model")


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
        "placement": state.settings.placement,
        "upstream": {
            "url": state.settings.upstream_url,
            "status": "ok" if models else "down",
            "models": [entry.get("id") for entry in models],
        },
    }


@router.get("/rag/collections")
async def collections(request: Request) -> dict[str, Any]:
    """The collections there are."""
    found = store.collections(request.app.state.retriever.root)
    keys = ("name", "chunks", "files", "model", "dimension", "created")
    return {"collections": [{key: getattr(entry, key) for key in keys} for entry in found]}


@router.post("/rag/search")
async def search(request: Request) -> Response:
    """The passages that a question would put before the model."""
    injector: Injector = request.app.state.injector
    try:
        messages, options, _ = await asked(request)
        newest = last_user_index(messages) or 0
        wanted = search_request(
            text_of(messages[newest].get("content")), history(messages[:newest]), options
        )
        model = next(iter((await injector.models.served()).values()), None)
        canon = await injector.workers.run(
            lambda: injector.lookup.search(wanted, options, count_tokens(model)),
            injector.settings.retrieval_seconds,
        )
    except TimeoutError:
        return failure(504, "The search took too long.", "rag_error")
    except RecursionError:
        return failure(400, "The body is nested too deeply.", "rag_error")
    except ToolkitError as error:
        return failure(400, str(error), "rag_error")
    return Response(
        as_json({"results": [passage.result() for passage in canon.passages]}),
        media_type="application/json",
    )


@router.post("/rag/explain")
async def explain(request: Request) -> Response:
    """What a request would be given, by which route, what was left out, and what each piece costs.

    Changes nothing: what the conversation was given before is read and not written.
    """
    injector: Injector = request.app.state.injector
    try:
        messages, options, model = await asked(request)
        return await explanation(request, injector, messages, options, model)
    except TimeoutError:
        return failure(504, "The search took too long.", "rag_error")
    except ToolkitError as error:
        return failure(400, str(error), "rag_error")
    except RecursionError:
        return failure(400, "The body is nested too deeply.", "rag_error")


async def explanation(
    request: Request,
    injector: Injector,
    messages: list[dict[str, Any]],
    options: RagOptions,
    model: str,
) -> Response:
    """Do everything that a chat would, but record and send nothing."""
    served = await injector.models.served()
    name = model if model in served else next(iter(served), model)
    body = ChatBody(as_json({"model": name, "messages": messages}))
    headers = upstream_headers(request, injector.settings)
    injected = await injector.inject(body, options, headers, remember=False)
    count = await injector.workers.run(
        lambda: count_tokens(served.get(name)), injector.settings.retrieval_seconds
    )
    found = explained(injector, injected, options, count)
    found["messages"] = body.told["messages"]
    return Response(as_json(found), media_type="application/json")


def explained(
    injector: Injector, injected: Injected, options: RagOptions, count: TokenCounter
) -> dict[str, Any]:
    """The answer of /rag/explain without its messages."""
    canon = injected.canon
    always = [described(passage, count) for passage in canon.always]
    passages = [described(passage, count) for passage in canon.passages]
    return {
        "query": canon.query,
        "status": injected.status,
        "reason": injected.reason,
        "collections": list(injected.collections),
        "as_of": options.as_of,
        "pov": options.pov,
        "placement": injector.settings.placement,
        "always": always,
        "passages": passages,
        "dropped": [_left_out(dropped, count) for dropped in canon.dropped],
        "budget": {
            "tokens": injector.lookup.budget(options),
            "used": sum(entry["tokens"] for entry in passages),
            "always_tokens": injector.settings.always_tokens,
            "always_used": sum(entry["tokens"] for entry in always),
            "counter": "tokenizer" if is_exact(count) else "estimate",
        },
        "trimmed": injected.trimmed,
    }


def _left_out(dropped: Dropped, count: TokenCounter) -> dict[str, Any]:
    entry = described(dropped.passage, count)
    return {key: value for key, value in entry.items() if key not in ("text", "routes")} | {
        "reason": dropped.reason
    }


async def asked(request: Request) -> tuple[list[dict[str, Any]], RagOptions, str]:
    """(messages, options, model) of a request to our own routes.

    Raises ToolkitError where the body is none.
    """
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise ToolkitError("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise ToolkitError("The body is not a JSON object.")
    rules = {key: value for key, value in body.items() if key not in _ASKED}
    options = rag_options(rules, request.headers)
    query, messages = body.get("query"), body.get("messages")
    if isinstance(query, str) and query.strip():
        messages = [{"role": "user", "content": query.strip()}]
    if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
        raise ToolkitError("Give the question as 'query' or as 'messages'.")
    newest = last_user_index(messages)
    if newest is None or not text_of(messages[newest].get("content")).strip():
        raise ToolkitError("Give the question as 'query' or as 'messages'.")
    return messages, options, str(body.get("model") or "")
