"""uvicorn's connection with limits for the head of a request, and the server that drains."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType
from typing import Any, cast

from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ...console import log_test
from ...openai_api import error_body
from .guard import Guard

MAX_HEAD = 64 * 1024
MARGIN = 3  # seconds after the drain until uvicorn cancels what is left


class Limited(HttpToolsProtocol):
    """A connection whose request heads come soon and are short.

    uvicorn itself waits for ever for the end of a head, and keeps all of it that comes.
    """

    head_seconds = 15.0
    head_timer: asyncio.TimerHandle | None = None
    head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._head_is_there()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Part of a request."""
        if not self._idle():
            super().data_received(data)
            return
        self.head_bytes += len(data)
        super().data_received(data)
        if self._idle() and not self.transport.is_closing():
            self._expect_head()
            if self.head_bytes > MAX_HEAD:
                self._refuse(431, "The headers are too long.")

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_is_there()
        super().on_headers_complete()

    def _idle(self) -> bool:
        """No request is being answered: what comes belongs to a head."""
        return self.cycle is None or self.cycle.response_complete

    def _expect_head(self) -> None:
        if self.head_timer is None:
            self.head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _head_is_there(self) -> None:
        self.head_bytes = 0
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def _too_slow(self) -> None:
        self.head_timer = None
        if self.head_bytes:
            self._refuse(408, f"No whole request came within {self.head_seconds:g} s.")
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self._refuse(400, "This is no HTTP request.")

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps(error_body(message, "invalid_request_error", status)).encode()
        self.transport.write(
            b"HTTP/1.1 %d Refused\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (status, len(body), body)
        )
        self.transport.close()


def limited(guard: Guard) -> type[Limited]:
    """The protocol class with the limits of `guard`."""
    return type("Limited", (Limited,), {"head_seconds": guard.head_seconds})


class DrainingServer(Server):
    """On SIGTERM or Ctrl+C running answers go on for a while; the second signal stops at once."""

    def __init__(self, config: Config, drain: Any) -> None:
        super().__init__(config)
        self.drain = drain
        self.signals: list[int] = []

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self.signals.append(sig)
        if self.should_exit:
            self.force_exit = True
        self.should_exit = True
        self.drain(at_once=self.force_exit)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for what runs; then close, after the second signal too."""
        if self.server_state.tasks:
            seconds = (self.config.timeout_graceful_shutdown or MARGIN) - MARGIN
            count = len(self.server_state.tasks)
            log_test(f"Stopping: {count} answers have {seconds} s to end; once more stops at once")
        await super().shutdown(sockets)
        if self.force_exit:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self.lifespan.shutdown()

    @property
    def status(self) -> int:
        """What the process ends with: as shells report Ctrl+C, else 0."""
        return 130 if signal.SIGINT in self.signals else 0


def serve(app: Any, host: str, port: int, guard: Guard, drain: Any) -> int:
    """Answer until a signal comes. Returns the exit status."""
    config = Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=cast(Any, limited(guard)),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        # The gate ends what still runs then; this is for what does not end even so.
        timeout_graceful_shutdown=int(guard.drain_seconds) + MARGIN,
    )
    server = DrainingServer(config, drain)
    server.run()
    if server.force_exit:
        # A search that hangs in a thread would keep the process; nobody waits for it any more.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(server.status)
    return server.status
