"""Between the client's connection and the upstream's: headers and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from ...openai_api import error_body
from .settings import ProxySettings

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


def failure(
    status: int,
    message: str,
    kind: str = "invalid_request_error",
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An OpenAI-shaped error."""
    shown = dict(headers) if headers else None
    return JSONResponse(error_body(message, kind, status), status_code=status, headers=shown)
