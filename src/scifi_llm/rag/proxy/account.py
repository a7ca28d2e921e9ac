"""What is kept of a request that is over: its metrics and its line in the log."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from .exchange import Exchange

BYTES_PER_TOKEN = 4  # of English prose; counting would cost more than it tells
RAG_STATUS = frozenset({"ok", "empty", "disabled", "degraded"})


def count(exchange: Exchange) -> None:
    """Put it into the metrics."""
    now = perf_counter()
    metrics = exchange.metrics
    if exchange.is_stream:
        metrics.streams.dec()
    if exchange.gone:
        metrics.disconnects.inc()
    metrics.answered(
        exchange.route, exchange.method, exchange.status or 499, now - exchange.started
    )
    if exchange.first:
        metrics.first_byte.labels(exchange.route).observe(exchange.first - exchange.started)
    if exchange.usage is not None:
        metrics.used(exchange.usage)
    if exchange.rag in RAG_STATUS:
        metrics.rag_status.labels(exchange.rag).inc()
    injected = exchange.scope["state"].get("injected")
    if injected is not None:
        added = max(0, len(injected.content) - len(exchange.body))
        metrics.injected.observe(added / BYTES_PER_TOKEN)


def told(exchange: Exchange) -> dict[str, Any]:
    """Fields of the log line: no texts, no keys, no query string."""
    client = exchange.scope.get("client") or ("",)
    fields: dict[str, Any] = {
        "status": exchange.status or 499,
        "ms": round(1000 * (perf_counter() - exchange.started), 1),
        "bytes_in": len(exchange.body),
        "bytes_out": exchange.sent,
        "client": client[0],
    }
    if exchange.first:
        fields["first_byte_ms"] = round(1000 * (exchange.first - exchange.started), 1)
    if exchange.rag:
        fields["rag"] = exchange.rag
    if exchange.gone or exchange.reason:
        fields["ended"] = exchange.reason or "disconnect"
    return fields
