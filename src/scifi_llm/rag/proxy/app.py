"""The application factory: `create_app(settings, retriever, client)`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import Response

from ...openai_api import Upstream
from ..passages import Searcher
from .injection import Injector
from .local_models import router as local_models_router
from .lookup import Lookup
from .page import OPEN_PATHS
from .page import router as page_router
from .routes import refusal, router
from .settings import ProxySettings

if TYPE_CHECKING:
    import httpx


def create_app(settings: ProxySettings, retriever: Searcher, client: httpx.AsyncClient) -> FastAPI:
    """The proxy over a retriever and a client of the upstream; it closes the client at its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.aclose()

    app = FastAPI(title="scifi-llm proxy", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.retriever = retriever
    app.state.upstream = Upstream(client, settings.upstream_url, settings.upstream_key)
    app.state.injector = Injector(Lookup(retriever, settings), app.state.upstream)
    app.include_router(page_router)
    app.include_router(local_models_router)  # before the route that passes all of /v1 through
    app.include_router(router)

    @app.middleware("http")
    async def require_key(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if request.url.path in OPEN_PATHS:
            return await call_next(request)
        return refusal(request, settings) or await call_next(request)

    return app
