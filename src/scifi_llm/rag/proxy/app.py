"""The application factory: `create_app(settings, retriever, client)`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ...openai_api import Upstream, UpstreamError
from ..passages import Searcher
from .gate import Gate
from .guard import Guard
from .injection import Injector
from .local_models import router as local_models_router
from .lookup import Lookup
from .metrics import Metrics, Timed
from .metrics import router as metrics_router
from .page import OPEN_PATHS
from .page import router as page_router
from .routes import failure, router
from .schema import openapi
from .security import Door
from .settings import ProxySettings

if TYPE_CHECKING:
    import httpx


def create_app(
    settings: ProxySettings,
    retriever: Searcher,
    client: httpx.AsyncClient,
    guard: Guard | None = None,
) -> FastAPI:
    """The proxy over a retriever and a client of the upstream; it closes the client at its end.

    `app.state.gate.drain()` lets it end; `guard` holds its limits, by default the environment's.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.aclose()

    app = FastAPI(title="scifi-llm proxy", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.openapi = openapi  # type: ignore[method-assign]
    metrics = app.state.metrics = Metrics()
    timed = cast(Searcher, Timed(retriever, metrics.retrieval.observe))
    app.state.settings = settings
    app.state.retriever = timed
    app.state.upstream = Upstream(
        client,
        settings.upstream_url,
        settings.upstream_key,
        observe=metrics.upstream.observe,
        failed=lambda status: metrics.upstream_failures.labels(str(status)).inc(),
    )
    app.state.injector = Injector(Lookup(timed, settings), app.state.upstream)
    app.include_router(page_router)
    app.include_router(metrics_router)
    app.include_router(local_models_router)  # before the route that passes all of /v1 through
    app.include_router(router)
    app.add_exception_handler(UpstreamError, _upstream_failed)
    app.add_exception_handler(HTTPException, _http_failed)
    app.add_exception_handler(Exception, _bug)
    door = Door(
        guard or Guard(), settings.api_key, settings.host, frozenset({"/health", *OPEN_PATHS})
    )
    gate = app.state.gate = Gate(cast(Any, app.build_middleware_stack()), door, metrics)
    app.middleware_stack = cast(Any, gate)
    return app


def _upstream_failed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UpstreamError)
    return failure(error.status, error.message, "upstream_error")


def _http_failed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    message = f"{error.detail}: {request.method} {request.url.path}"
    return failure(error.status_code, message, "invalid_request_error", headers)


def _bug(request: Request, _: Exception) -> JSONResponse:
    name = request.headers.get("x-request-id", "")
    return failure(500, f"The proxy has a bug; its log has request {name}.", "internal_error")
