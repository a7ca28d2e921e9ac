"""Between the client's connection and the upstream's: headers, errors, and who has gone."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse

from ...openai_api import error_body
from .settings import ProxySettings

T = TypeVar("T")
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
NOT_RELAYED = HOP_BY_HOP | {"date"}  # our server writes its own date


class ClientGone(Exception):
    """The client has closed its connection; nobody reads an answer."""


def upstream_headers(request: Request, settings: ProxySettings) -> dict[str, str]:
    """The client's headers for the upstream, without our own key and without x-rag-*."""
    drop = HOP_BY_HOP | {"accept-encoding"} | ({"authorization"} if settings.api_key else set())
    kept = {
        key: value
        for key, value in request.headers.items()
        if key not in drop and not key.startswith("x-rag-")
    }
    return {**kept, "accept-encoding": "identity"}


def client_headers(response: Any, drop: tuple[str, ...] = ()) -> dict[str, str]:
    """The upstream's headers for the client."""
    return {
        key: value
        for key, value in response.headers.items()
        if key.lower() not in NOT_RELAYED and key.lower() not in drop
    }


def refusal(request: Request, settings: ProxySettings) -> JSONResponse | None:
    """A 401 where RAG_API_KEY is set and the client does not have it."""
    if not settings.api_key or request.url.path == "/health":
        return None
    given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
    if hmac.compare_digest(given, settings.api_key.encode()):
        return None
    return failure(401, "The API key is not the proxy's RAG_API_KEY.", "invalid_api_key")


def failure(
    status: int,
    message: str,
    kind: str = "invalid_request_error",
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An OpenAI-shaped error."""
    shown = dict(headers) if headers else None
    return JSONResponse(error_body(message, kind, status), status_code=status, headers=shown)


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled as soon as the client goes away.

    The body must have been read before. Raises ClientGone.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request.receive()))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        for pending in (task, gone):
            if not pending.done():
                pending.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(message: Awaitable[Any]) -> None:
    await message
