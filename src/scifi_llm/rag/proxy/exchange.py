"""One request and its answer as they pass the gate."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from itertools import count
from secrets import token_hex
from time import perf_counter
from typing import Any

from ...openai_api import error_body, sse
from .metrics import Metrics, Usage, route_of
from .security import Refusal

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

USABLE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
PROCESS, NUMBERS = token_hex(4), count(1)
CORS_METHODS = b"GET, POST, PUT, PATCH, DELETE"
SAFE = (b"x-content-type-options", b"nosniff")


class Exchange:
    """A request on its way in and its answer on its way out."""

    def __init__(
        self,
        scope: Message,
        headers: dict[bytes, bytes],
        receive: Receive,
        send: Send,
        metrics: Metrics,
        secrets: frozenset[bytes] = frozenset(),
    ) -> None:
        self.headers, self._receive, self._send, self.metrics = headers, receive, send, metrics
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.route = route_of(self.path)
        self.scope = self._inner(scope, secrets)
        self.started = perf_counter()
        self.first = 0.0
        self.status = 0
        self.body = b""
        self.cors = self.rag = ""
        self.reason = ""  # why we ended the work: disconnect, stop or stall
        self.gone = self.is_stream = self.complete = self._told_body = False
        self.sent = 0
        self.sending_since = 0.0
        self.usage = Usage() if self.route.startswith("/v1/") else None
        self._task: asyncio.Task[Any] | None = None
        self._watcher: asyncio.Task[None] | None = None

    def _inner(self, scope: Message, secrets: frozenset[bytes]) -> Message:
        """The scope for the application: with a request id, the client's where it is usable, and
        without the headers that hold our own key.
        """
        given = self.headers.get(b"x-request-id", b"")
        usable = USABLE_ID.fullmatch(given)
        self.id = given.decode() if usable else f"{PROCESS}-{next(NUMBERS):x}"
        headers = scope["headers"]
        if secrets or not usable:
            headers = [pair for pair in headers if pair[0] not in secrets]
            headers = [pair for pair in headers if pair[0] != b"x-request-id"]
            headers.append((b"x-request-id", self.id.encode()))
        # Of 2.4 it is promised that a client's leaving is told by an exception in send. Here the
        # whole task is cancelled then, so nobody below need listen for it.
        asgi = {**scope.get("asgi", {}), "spec_version": "2.4"}
        return {**scope, "headers": headers, "asgi": asgi, "state": {**scope.get("state", {})}}

    # In.
    async def read_body(self, limit: int, seconds: float) -> Refusal | None:
        """Read the body whole; a refusal where it is too large or too slow."""
        length = self.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            return too_large(limit)
        try:
            async with asyncio.timeout(seconds):
                return await self._read(limit)
        except TimeoutError:
            message = f"The body did not come within {seconds:g} s."
            return Refusal(408, message, "request_timeout", close=True)

    async def _read(self, limit: int) -> Refusal | None:
        pieces, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                return None
            piece = message.get("body", b"")
            size += len(piece)
            if size > limit:
                return too_large(limit)
            pieces.append(piece)
            if not message.get("more_body", False):
                self.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                return None

    async def receive(self) -> Message:
        """What the application reads: the body once, and then nothing until the end."""
        if not self._told_body:
            self._told_body = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await asyncio.get_running_loop().create_future()
        raise AssertionError  # only ever cancelled

    def watch(self) -> None:
        """From now on end this task's work when the client leaves."""
        self._task = asyncio.current_task()
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self.end("disconnect")

    def unwatch(self) -> None:
        """The work is over."""
        self._task = None
        if self._watcher is not None:
            self._watcher.cancel()

    def end(self, reason: str) -> None:
        """End the work for this request now."""
        if self._task is not None and not self.complete:
            self.reason = reason
            self._task.cancel()
            self._task = None

    # Out.
    async def respond(self, message: Message) -> None:
        """Send a message of the application on."""
        if message["type"] == "http.response.start":
            message = self._head(message)
        elif not self._note(message):
            return
        self.sending_since = asyncio.get_running_loop().time()
        await self._send(message)
        self.sending_since = 0.0

    def _head(self, message: Message) -> Message:
        self.status = message["status"]
        # A page may read answers where we say so, whatever the upstream says to everybody.
        told = message.get("headers", ())
        headers = [pair for pair in told if not pair[0].startswith(b"access-control-")]
        names = {name for name, _ in headers}
        if b"x-request-id" not in names:
            headers.append((b"x-request-id", self.id.encode()))
        if SAFE[0] not in names:
            headers.append(SAFE)
        if self.cors:
            headers += cors_headers(self.cors)
        kind = next((value for name, value in headers if name == b"content-type"), b"")
        self.rag = next((v.decode() for name, v in headers if name == b"x-rag-status"), "")
        self.is_stream = kind.startswith(b"text/event-stream")
        if self.is_stream:
            self.metrics.streams.inc()
        return {**message, "headers": headers}

    def _note(self, message: Message) -> bool:
        """Look at a piece of the body; False where there is nothing to send."""
        body = message.get("body", b"")
        if not message.get("more_body", False):
            self.complete = True
        elif not body:
            return False
        if not self.first:
            self.first = perf_counter()
        self.sent += len(body)
        if self.usage is not None and body:
            self.usage.feed(body)
        return True

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with an OpenAI-shaped error."""
        body = json.dumps(error_body(refusal.message, refusal.kind, refusal.status)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if refusal.close:
            headers.append((b"connection", b"close"))
        if refusal.status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await self._whole(refusal.status, headers, body)

    async def _whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        start = {"type": "http.response.start", "status": status, "headers": headers}
        await self.respond(start)
        await self.respond({"type": "http.response.body", "body": body})

    async def break_off(self, message: str, kind: str, status: int) -> None:
        """End an answer that cannot go on: as an error, as a stream's last event, or by closing.

        Without the closing bytes of its framing no client takes a broken answer for a whole one.
        """
        if self.complete or self.gone:
            return
        if not self.status:
            await self.refuse(Refusal(status, message, kind, close=True))
        elif self.is_stream:
            event = b"\n\n" + sse(error_body(message, kind, status))
            await self.respond({"type": "http.response.body", "body": event})

    # Browsers.
    def is_preflight(self) -> bool:
        """Whether a page asks if it may ask."""
        return self.method == "OPTIONS" and b"access-control-request-method" in self.headers

    async def allow_preflight(self) -> None:
        """It may."""
        wanted = self.headers.get(b"access-control-request-headers", b"authorization, content-type")
        headers = [
            (b"access-control-allow-methods", CORS_METHODS),
            (b"access-control-allow-headers", wanted),
            (b"access-control-max-age", b"600"),
        ]
        self.status, self.complete = 204, True
        all_headers = [*cors_headers(self.cors), *headers]
        await self._send({"type": "http.response.start", "status": 204, "headers": all_headers})
        await self._send({"type": "http.response.body", "body": b""})


def too_large(limit: int) -> Refusal:
    """The refusal of a body that is too large."""
    return Refusal(
        413,
        f"The body is larger than {limit / 1024 / 1024:g} MB. To take larger ones, "
        "start the proxy with RAG_MAX_BODY_MB=N.",
        "request_too_large",
        close=True,
    )


def cors_headers(origin: str) -> list[tuple[bytes, bytes]]:
    """What lets a page of `origin` read the answer."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"x-rag-status, x-rag-trimmed, x-rag-max-tokens, "
         b"x-request-id"),
        (b"vary", b"Origin"),
    ]  # fmt: skip
