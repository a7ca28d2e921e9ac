"""What one look at vLLM, the GPUs and the proxy found, and the JSON object of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ..gpu import Gpu
from ..metrics import PLAIN, Counts, Snapshot, labelled, quantile, ratio
from .history import Interval


@dataclass(frozen=True)
class Proxy:
    """The RAG proxy as its /health and /metrics tell it."""

    url: str
    up: bool = False
    status: str | None = None
    collection: str | None = None
    chunks: int | None = None
    upstream: str | None = None
    metrics: dict[str, float] | None = None


@dataclass(frozen=True)
class Report:
    """One look. The keys of `as_json` and their units stand in monitor.py."""

    time: datetime
    url: str
    problem: str | None
    fix: str
    down_since: datetime | None
    version: str | None
    restarts: int
    now: Snapshot | None
    last: Interval | None
    window: Counts
    window_s: float
    proxy: Proxy
    gpus: list[Gpu] = field(default_factory=list)
    gpu_problem: str | None = None

    @property
    def totals(self) -> Counts:
        """Counted since the server started."""
        return self.now.counts if self.now else {}

    @property
    def deltas(self) -> Counts:
        """Counted since the previous look."""
        return self.last.counts if self.last else {}

    @property
    def uptime_s(self) -> float | None:
        """Of the server, in seconds."""
        if not self.now or not self.now.started:
            return None
        return max(0.0, self.time.timestamp() - self.now.started)

    def gauge(self, key: str) -> float | None:
        """A value of this moment, or None."""
        return self.now.gauges.get(key) if self.now else None

    def per_second(self, key: str) -> float | None:
        """Rate since the previous look."""
        return self.last.rate(key) if self.last and (key, "") in self.last.counts else None

    def as_json(self) -> dict[str, Any]:
        """The object that --json prints."""
        running, waiting = self.gauge("running"), self.gauge("waiting")
        finished = sum(labelled(self.deltas, "finished").values())
        return {
            "time": self.time.isoformat(timespec="milliseconds"),
            "url": self.url,
            "up": self.now is not None,
            "problem": self.problem,
            "down_since": self.down_since and self.down_since.isoformat(timespec="milliseconds"),
            "model": (self.now.model or None) if self.now else None,
            "version": self.version,
            "uptime_s": _rounded(self.uptime_s),
            "restarts": self.restarts,
            "interval_s": _rounded(self.last.seconds) if self.last else None,
            "window_s": _rounded(self.window_s),
            "totals": _plain_counts(self.totals),
            "deltas": _plain_counts(self.deltas),
            "rates": {
                "prompt_tokens_per_s": _rounded(self.per_second("prompt_tokens")),
                "generation_tokens_per_s": _rounded(self.per_second("generation_tokens")),
                "requests_per_s": _rounded(self.last.per_second(finished)) if self.last else None,
            },
            "gauges": {
                "running": None if running is None else int(running),
                "waiting": None if waiting is None else int(waiting),
                "kv_cache_use": self.gauge("kv_cache_use"),
                "kv_cache_tokens": self.now.kv_cache_tokens if self.now else None,
            },
            "window": summary(self.window),
            "since_start": summary(self.totals),
            "gpus": [asdict(gpu) for gpu in self.gpus],
            "gpu_problem": self.gpu_problem,
            "proxy": asdict(self.proxy),
        }


def summary(counts: Counts) -> dict[str, Any]:
    """Latencies in seconds and the hit rate in what was counted."""
    result: dict[str, Any] = {}
    for key in ("ttft_s", "inter_token_s"):
        buckets = labelled(counts, key)
        result[key] = {
            "p50": _rounded(quantile(0.5, buckets), 6),
            "p99": _rounded(quantile(0.99, buckets), 6),
            "count": int(max(buckets.values(), default=0.0)),
        }
    rate = ratio(counts, "prefix_cache_hits", "prefix_cache_queries")
    return {**result, "prefix_cache_hit_rate": _rounded(rate, 6)}


def _plain_counts(counts: Counts) -> dict[str, Any]:
    plain = {key: int(counts[key, ""]) if (key, "") in counts else None for key in PLAIN}
    return {**plain, "finished": {k: int(v) for k, v in labelled(counts, "finished").items()}}


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
