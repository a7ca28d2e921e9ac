"""All routes that reach the upstream or the canon, and the one that passes the rest through."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from ...openai_api import UpstreamError, relay
from . import chat, own
from .forward import client_headers, failure, upstream_headers

__all__ = ["client_headers", "failure", "router", "upstream_headers"]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
router = APIRouter()
router.include_router(chat.router)
router.include_router(own.router)


@router.api_route("/v1/{path:path}", methods=METHODS)
async def pass_through(request: Request, path: str) -> Response:
    """Every other route of the upstream, byte for byte."""
    state = request.app.state
    content = await request.body()
    asked = request.scope.get("raw_path", b"").decode("ascii", "replace")
    try:
        response = await state.upstream.send(
            request.method,
            asked.removeprefix("/v1/") if asked.startswith("/v1/") else path,
            upstream_headers(request, state.settings),
            content,
            request.url.query,
        )
    except UpstreamError as error:
        return failure(error.status, error.message, "upstream_error")
    return StreamingResponse(relay(response), response.status_code, client_headers(response))
