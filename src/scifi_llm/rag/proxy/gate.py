"""What every request passes on its way in and out: refusals, limits, ids, counting, an end.

A plain ASGI wrapper around the whole application. The request's body is read here, within a size
and a time; a client that goes away ends the work for it at once, wherever it has got to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ...openai_api import UpstreamError
from .account import count, told
from .exchange import Exchange
from .logs import REQUEST_ID, access
from .metrics import Metrics
from .security import Door, Refusal

log = logging.getLogger("scifi_llm.proxy")
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

STOPPING = "The proxy is being stopped. Start it again with: ./serve_rag_proxy.sh"
CLOSED = Refusal(403, "No web page may ask. Allow one with: RAG_ALLOWED_ORIGINS=ORIGIN")


class Gate:
    """Wraps `app`. `drain` ends what still runs some time after it was called."""

    def __init__(self, app: App, door: Door, metrics: Metrics) -> None:
        self.app = app
        self.door = door
        self.guard = door.guard
        self.metrics = metrics
        ours = {b"authorization", b"x-api-key"}
        self.secrets = frozenset(ours if door.api_key else ())
        self.running: set[Exchange] = set()
        self.draining = False
        self.sweep_seconds = 5.0
        self.loop: asyncio.AbstractEventLoop | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        exchange = Exchange(scope, headers, receive, send, self.metrics, self.secrets)
        REQUEST_ID.set(exchange.id)
        exchange.cors = self.door.cors_origin(headers)
        self._begin(exchange)
        try:
            refusal = self._refusal(scope, headers)
            if refusal is None and exchange.is_preflight():
                refusal = None if exchange.cors else CLOSED
                if exchange.cors:
                    await exchange.allow_preflight()
            elif refusal is None:
                refusal = await exchange.read_body(self.guard.max_body, self.guard.body_seconds)
                if refusal is None and not exchange.gone:
                    await self._answer(exchange)
            if refusal is not None:
                self.metrics.refused.labels(str(refusal.status)).inc()
                await exchange.refuse(refusal)
        finally:
            self._end(exchange)

    def _refusal(self, scope: Message, headers: dict[bytes, bytes]) -> Refusal | None:
        if self.draining:
            return Refusal(503, STOPPING, "service_unavailable", close=True)
        return self.door.refusal(scope["path"], headers)

    async def _answer(self, exchange: Exchange) -> None:
        """Let the application answer while the client is there."""
        if self.guard.log_text and exchange.body:
            log.info("asked: %s", exchange.body.decode("utf-8", "replace"))
        exchange.watch()
        try:
            await self.app(exchange.scope, exchange.receive, exchange.respond)
        except asyncio.CancelledError:
            if not exchange.reason:
                raise  # the server ends
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            await self._ended_early(exchange)
        except Exception as error:  # noqa: BLE001 - told to the client and the log, not hidden
            await self._failed(exchange, error)
        finally:
            exchange.unwatch()

    async def _ended_early(self, exchange: Exchange) -> None:
        """The work for a request was ended by us: the client is told, where there is one."""
        if exchange.reason == "stop":
            await exchange.break_off(STOPPING, "service_unavailable", 503)

    async def _failed(self, exchange: Exchange, error: Exception) -> None:
        """An error that no route made an answer of. A bug leaves its traceback in the log."""
        cause = error if isinstance(error, UpstreamError) else error.__cause__
        if isinstance(cause, UpstreamError):
            await exchange.break_off(cause.message, "upstream_error", cause.status)
            return
        log.error("%s %s failed", exchange.method, exchange.route, exc_info=error)
        message = f"The proxy has a bug; its log has request {exchange.id}."
        await exchange.break_off(message, "internal_error", 500)

    # What is in progress.
    def _begin(self, exchange: Exchange) -> None:
        self.running.add(exchange)
        self.metrics.active.inc()
        if self.loop is None:
            self.loop = asyncio.get_running_loop()
        if self._sweeper is None:
            self._sweeper = self.loop.call_later(self.sweep_seconds, self._sweep)

    def _end(self, exchange: Exchange) -> None:
        self.running.discard(exchange)
        self.metrics.active.dec()
        count(exchange)
        if access.isEnabledFor(logging.INFO):
            access.info("%s %s", exchange.method, exchange.path, extra={"fields": told(exchange)})

    def _sweep(self) -> None:
        """End answers that their clients do not read."""
        assert self.loop is not None
        self._sweeper = None
        limit = self.loop.time() - self.guard.stall_seconds
        for exchange in self.running:
            if exchange.sending_since and exchange.sending_since < limit:
                exchange.end("stall")
        if self.running:
            self._sweeper = self.loop.call_later(self.sweep_seconds, self._sweep)

    def drain(self, at_once: bool = False) -> None:
        """Refuse what is new and end what still runs after `drain_seconds`. Safe in a signal."""
        self.draining = True
        if self.loop is None:
            return
        seconds = 0.0 if at_once else self.guard.drain_seconds
        self.loop.call_soon_threadsafe(self.loop.call_later, seconds, self._end_all)

    def _end_all(self) -> None:
        for exchange in self.running:
            exchange.end("stop")
