"""Looks at vLLM, the GPUs and the proxy, as often as it is told to.

No terminal and no clock of its own: HTTP, NVML and the clocks are handed in.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..gpu import read_gpus
from ..metrics import Snapshot, difference, read, restarted, samples
from .history import History, Interval
from .report import Proxy, Report

Fetch = Callable[[str, float], str | None]
LIMIT_S = 5.0  # vLLM's own /metrics, on a machine whose cores all compute
PROXY_LIMIT_S = 2.0
PROXY_EVERY_S = 5.0  # its /health asks vLLM in turn


class Watcher:
    """Looks when told to, and remembers what the difference to the next look needs.

    `nvml` is the module pynvml or the sentence why there is none; `start` the command that starts
    vLLM; `clock` counts seconds and never goes back, `wall` gives the local time.
    """

    def __init__(
        self, url: str, proxy_url: str, fetch: Fetch, nvml: Any, start: str,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:  # fmt: skip
        self.url, self.proxy_url, self.start = url, proxy_url, start
        self.history = History()
        self.clock = clock
        self._fetch, self._nvml, self._wall = fetch, nvml, wall
        self._before: tuple[float, Snapshot] | None = None
        self._down_since: datetime | None = None
        self._version: str | None = None
        self._restarts = 0
        self._proxy = Proxy(proxy_url)
        self._proxy_at: float | None = None

    def look(self) -> Report:
        """Ask everything once."""
        text = self._fetch(f"{self.url}/metrics", LIMIT_S)
        at, wall = self.clock(), self._wall()
        now = read(text) if text is not None else None
        problem, fix = None, f"Start it with: {self.start}"
        if now:
            self._take(at, wall, now)
            self._down_since = None
        else:
            self._down_since = self._down_since or wall
            problem = f"No vLLM answers at {self.url}."
            if text is not None:
                problem = f"What answers at {self.url}/metrics has no figures of vLLM."
                fix = "Give the port of a vLLM that runs without --disable-log-stats."
        told = self.history if now else History()
        known = not isinstance(self._nvml, str)
        gpus = read_gpus(self._nvml) if known else []
        return Report(
            wall, self.url, problem, fix, self._down_since,
            self._version, self._restarts, now, told.last, told.counts(), told.seconds(),
            self._ask_proxy(at), gpus,
            None if gpus else ("no GPU answers NVML" if known else self._nvml),
        )  # fmt: skip

    def _take(self, at: float, wall: datetime, now: Snapshot) -> None:
        if self._before is None:
            self._version = self._ask_version()
        else:
            before_at, before = self._before
            seconds = at - before_at
            if restarted(before, now):
                self._restarts += 1
                self._version = self._ask_version()
                if now.started:  # what it counted, it counted in less than an outage
                    seconds = min(seconds, max(wall.timestamp() - now.started, 0.001))
            self.history.add(Interval(at, seconds, difference(before, now)))
        self._before = at, now

    def _ask_version(self) -> str | None:
        found = _object(self._fetch(f"{self.url}/version", PROXY_LIMIT_S)).get("version")
        return found if isinstance(found, str) else None

    def _ask_proxy(self, at: float) -> Proxy:
        if self._proxy_at is None or at - self._proxy_at >= PROXY_EVERY_S:
            self._proxy_at = at
            health = _object(self._fetch(f"{self.proxy_url}/health", PROXY_LIMIT_S))
            metrics = self._fetch(f"{self.proxy_url}/metrics", PROXY_LIMIT_S) if health else None
            self._proxy = proxy_of(self.proxy_url, health, metrics)
        return self._proxy


def proxy_of(url: str, health: dict[str, Any], metrics: str | None) -> Proxy:
    """What the answers of the proxy's /health ({}: none) and /metrics (None: none) say."""
    if not health:
        return Proxy(url)
    upstream = health.get("upstream")
    chunks = health.get("chunks")
    return Proxy(
        url,
        True,
        _text(health.get("status")),
        _text(health.get("collection")),
        chunks if isinstance(chunks, int) else None,
        _text(upstream.get("status") if isinstance(upstream, dict) else upstream),
        None if metrics is None else own_figures(metrics),
    )


def own_figures(text: str) -> dict[str, float]:
    """Counts and gauges in a text of /metrics, summed over labels; not those of the runtime."""
    found: dict[str, float] = {}
    for name, _, value in samples(text):
        runtime = name.startswith(("python_", "process_"))
        if not runtime and not name.endswith(("_bucket", "_created")) and math.isfinite(value):
            found[name] = found.get(name, 0.0) + value
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
