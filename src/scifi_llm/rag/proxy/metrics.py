"""What the proxy counts, in Prometheus' text format at GET /metrics."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

T = TypeVar("T")
router = APIRouter()

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)
SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
TOKENS = (0, 100, 250, 500, 1000, 2000, 4000, 8000)
NAMED_ROUTES = frozenset(
    {
        "/",
        "/health",
        "/metrics",
        "/openapi.json",
        "/rag/collections",
        "/rag/explain",
        "/rag/search",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/models",
        "/v1/rerank",
    }
)
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class Metrics:
    """The numbers of one proxy, in a registry of its own."""

    def __init__(self) -> None:
        # A line more for each metric, which nobody asked for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        name = "rag_proxy_"

        def counter(what: str, text: str, *labels: str) -> Counter:
            return Counter(name + what, text, labels, registry=registry)

        def histogram(what: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name + what, text, labels, buckets=buckets, registry=registry)

        self.requests = counter("requests", "Requests answered", "route", "method", "status")
        self.seconds = histogram("request_seconds", "Until the answer's end", SLOW, "route")
        self.first_byte = histogram("first_byte_seconds", "Until its first byte", SLOW, "route")
        self.retrieval = histogram("retrieval_seconds", "Searches of the canon", FAST)
        self.upstream = histogram("upstream_seconds", "Until the upstream's headers", SLOW)
        self.upstream_failures = counter(
            "upstream_failures", "Requests without the upstream's answer", "status"
        )
        self.rag_status = counter("rag_status", "Chats by x-rag-status", "status")
        self.injected = histogram("injected_tokens", "Canon in a chat, at 4 bytes a token", TOKENS)
        self.prompt_tokens = counter("prompt_tokens", "Prompt tokens, as the upstream counts")
        self.cached_tokens = counter("cached_tokens", "Those of them read from its cache")
        self.completion_tokens = counter("completion_tokens", "Tokens written")
        self.disconnects = counter("disconnects", "Clients that left before the answer's end")
        self.refused = counter("refused", "Requests refused before they were read", "status")
        self.active = Gauge(name + "active_requests", "Requests in progress", registry=registry)
        self.streams = Gauge(name + "active_streams", "Streams in progress", registry=registry)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request that is over."""
        known = method if method in METHODS else "other"
        self.requests.labels(route, known, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def used(self, usage: Usage) -> None:
        """Count what the upstream's usage told."""
        self.prompt_tokens.inc(usage.prompt)
        self.cached_tokens.inc(usage.cached)
        self.completion_tokens.inc(usage.completion)

    def text(self) -> bytes:
        """All of it."""
        return generate_latest(self.registry)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Prometheus metrics."""
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type=CONTENT_TYPE_LATEST)


def route_of(path: str) -> str:
    """A path as a label: what clients make up must not grow the number of labels."""
    if path in NAMED_ROUTES:
        return path
    return "/v1/*" if path.startswith("/v1/") else "other"


_NUMBERS = {
    name: re.compile(rb'"%b":\s*(\d{1,9})' % name.encode())
    for name in ("prompt_tokens", "cached_tokens", "completion_tokens")
}


class Usage:
    """The usage in an answer's bytes, read in passing: nothing is held back.

    Usage stands in the last data of an answer, so the newest bytes are enough. Where a stream
    reports it with every chunk the last one counts.
    """

    KEPT = 2048

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """Bytes that went to the client."""
        self._tail = data[-self.KEPT :] if len(data) >= self.KEPT else (self._tail + data)
        if len(self._tail) > 4 * self.KEPT:
            self._tail = self._tail[-self.KEPT :]

    def _last(self, name: str) -> int:
        found = _NUMBERS[name].findall(self._tail)
        return int(found[-1]) if found else 0

    @property
    def prompt(self) -> int:
        """Tokens of the prompt."""
        return self._last("prompt_tokens")

    @property
    def cached(self) -> int:
        """Tokens of the prompt that were read from the cache."""
        return self._last("cached_tokens")

    @property
    def completion(self) -> int:
        """Tokens written."""
        return self._last("completion_tokens")


class Timed:
    """A searcher whose searches are timed; all else is the searcher's own."""

    def __init__(self, searcher: Any, observe: Callable[[float], None]) -> None:
        self._searcher = searcher
        self._observe = observe

    def __getattr__(self, name: str) -> Any:
        """What only the searcher has."""
        return getattr(self._searcher, name)

    def search(self, request: Any) -> Any:
        """Search and note how long it took, also where it fails."""
        from time import perf_counter

        started = perf_counter()
        try:
            return self._searcher.search(request)
        finally:
            self._observe(perf_counter() - started)
