"""What the proxy's own routes take and answer, as OpenAPI. Everything else is the upstream's.

Written by hand: the routes read bodies themselves, so that every complaint is in OpenAI's form.
"""

from __future__ import annotations

from typing import Any

from .settings import SOURCES

Schema = dict[str, Any]
MILLION = 1_000_000


def _object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "required": required, "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(kind: str, **more: Any) -> Schema:
    return {"type": [kind, "null"], **more}


TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
WORDS: Schema = {"type": "string", "pattern": r"\S"}
PARTS: Schema = {"type": "array", "contains": _object(["text"], text=WORDS)}
ASKS = _object(["role", "content"], role={"const": "user"}, content={"anyOf": [WORDS, PARTS]})
MESSAGES: Schema = {"type": "array", "items": {"type": "object"}, "contains": ASKS}
NAME: Schema = {"type": "string", "pattern": r"^[^,\s]+$"}
QUESTION: Schema = {
    "type": "object",
    "anyOf": [_object(["query"], query=WORDS), _object(["messages"], messages=MESSAGES)],
    "properties": {
        "query": {"description": "goes before messages"},
        "messages": {"description": "the newest user message is the question"},
        "model": {"description": "whose tokenizer counts"},
        "enabled": _or_null("boolean"),
        "collection": {"anyOf": [NAME, {**_list(NAME), "minItems": 1}, {"type": "null"}]},
        "as_of": _or_null("integer", minimum=0, maximum=MILLION),
        "pov": _or_null("string"),
        "top_k": _or_null("integer", minimum=1, maximum=MILLION),
        "budget_tokens": _or_null("integer", minimum=0, maximum=MILLION),
        "sources": {"enum": [*SOURCES, None]},
    },
    "additionalProperties": False,
}
ERROR = _object(
    ["error"],
    error=_object(["message", "type", "code"], message=TEXT, type=TEXT, code={"type": "integer"}),
)
SHOWN = {"path": TEXT, "heading": TEXT, "score": NUMBER, "why": TEXT, "text": TEXT}
RESULT = _object(list(SHOWN), **SHOWN)
ROUTES: Schema = {"type": "object"}
PASSAGE = _object([*SHOWN, "collection", "tokens", "routes"], **SHOWN, collection=TEXT,
                  tokens=COUNT, routes=ROUTES)  # fmt: skip
DROPPED = _object(["path", "heading", "score", "why", "collection", "tokens", "reason"],
                  path=TEXT, heading=TEXT, score=NUMBER, why=TEXT, collection=TEXT, tokens=COUNT,
                  reason=TEXT)  # fmt: skip
BUDGET = _object(
    ["tokens", "used", "always_tokens", "always_used", "counter"],
    tokens=COUNT, used=COUNT, always_tokens=COUNT, always_used=COUNT,
    counter={"enum": ["tokenizer", "estimate"]},
)  # fmt: skip
EXPLAINED = _object(
    ["query", "collections", "as_of", "pov", "always", "passages", "dropped", "budget", "messages"],
    query=TEXT, status=TEXT, reason=TEXT, collections=_list(TEXT), as_of=_or_null("integer"),
    pov=_or_null("string"), always=_list(PASSAGE), passages=_list(PASSAGE),
    dropped=_list(DROPPED), budget=BUDGET, messages=_list({"type": "object"}),
)  # fmt: skip
COLLECTION = _object(
    ["name", "chunks", "files", "model", "dimension", "created"],
    name=TEXT, chunks=COUNT, files=COUNT, model=TEXT, dimension=COUNT, created={},
)  # fmt: skip
HEALTH = _object(
    ["status", "collection", "chunks", "upstream"],
    status=TEXT, collection=TEXT, chunks=COUNT,
    upstream=_object(["url", "status", "models"], url=TEXT, status=TEXT, models=_list(TEXT)),
)  # fmt: skip


def _answer(text: str, schema: Schema, kind: str = "application/json") -> Schema:
    return {"description": text, "content": {kind: {"schema": schema}}}


def _get(name: str, answer: Schema) -> Schema:
    return {"get": {"operationId": name, "responses": {"200": answer}}}


def _ask(name: str, text: str, answer: Schema) -> Schema:
    wrong = _answer("The question is none, or names no collection", ERROR)
    late = _answer("The search took longer than its time", ERROR)
    body = {"required": True, "content": {"application/json": {"schema": QUESTION}}}
    responses = {"200": _answer(text, answer), "400": wrong, "504": late}
    return {"post": {"operationId": name, "requestBody": body, "responses": responses}}


def openapi() -> Schema:
    """The OpenAPI document at /openapi.json."""
    found = _object(["results"], results=_list(RESULT))
    there = _object(["collections"], collections=_list(COLLECTION))
    return {
        "openapi": "3.1.0",
        "info": {"title": "scifi-llm proxy", "version": "1"},
        "paths": {
            "/health": _get("health", _answer("What is there", HEALTH)),
            "/metrics": _get("metrics", _answer("Prometheus metrics", TEXT, "text/plain")),
            "/rag/collections": _get("collections", _answer("What may be named", there)),
            "/rag/search": _ask("search", "Passages, best first", found),
            "/rag/explain": _ask("explain", "What a request is given, and why", EXPLAINED),
        },
    }
