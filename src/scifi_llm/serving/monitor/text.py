"""Figures as people read them, and the plain line of a monitor without a terminal."""

from __future__ import annotations

from typing import Any

from ..gpu import Gpu
from ..metrics import labelled
from .report import Proxy, Report, summary

NOTHING = "-"
MOST_FIGURES = 4  # of the proxy's own /metrics


def seconds(value: float | None) -> str:
    """A latency with its unit."""
    if value is None:
        return NOTHING
    for below, factor, digits, unit in (
        (0.1, 1000, 1, "ms"),
        (1.0, 1000, 0, "ms"),
        (10.0, 1, 2, "s"),
        (100.0, 1, 1, "s"),
    ):
        if value < below:
            return f"{value * factor:.{digits}f} {unit}"
    return f"{value:.0f} s"


def uptime(value: float) -> str:
    """A time in its two largest units."""
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if value >= size:
            return f"{int(value // size)} {unit} {int(value % size // part)} {smaller}"
    return f"{int(value // 60)} min" if value >= 60 else f"{int(value)} s"


def share(value: float | None) -> str:
    """0 to 1 as percent; a little is never shown as nothing."""
    if value is None:
        return NOTHING
    return "<0.1 %" if 0 < value < 0.001 else f"{value * 100:.1f} %"


def per_second(value: float | None) -> str:
    """A rate of tokens."""
    return "..." if value is None else f"{value:,.1f} tok/s"


def both(latency: dict[str, Any]) -> str:
    """p50 and p99 of a latency."""
    if latency["p50"] is None:
        return NOTHING
    return f"{seconds(latency['p50'])} / {seconds(latency['p99'])}"


def bar(value: float, cells: int) -> str:
    """A share of 1 as a bar."""
    full = min(cells, max(0, round(value * cells)))
    return "█" * full + "░" * (cells - full)


def gpu_text(gpu: Gpu) -> str:
    """One GPU, without what NVML does not tell."""
    parts = []
    if gpu.memory_used_bytes is not None and gpu.memory_total_bytes is not None:
        gib = 1024**3
        parts.append(f"{gpu.memory_used_bytes / gib:.1f} of {gpu.memory_total_bytes / gib:.1f} GiB")
    if gpu.utilisation is not None:
        parts.append(f"busy {gpu.utilisation * 100:.0f} %")
    if gpu.temperature_c is not None:
        parts.append(f"{gpu.temperature_c} °C")
    return ", ".join(parts or ["no figures"])


def proxy_text(proxy: Proxy) -> str:
    """The proxy's state, and a few of its own figures."""
    place = proxy.url.removeprefix("http://")
    if not proxy.up:
        return f"not running on {place}. Start it with: ./serve_rag_proxy.sh"
    chunks = f" ({proxy.chunks:,} chunks)" if proxy.chunks is not None else ""
    parts = [f"{proxy.status or 'up'}, {proxy.collection or 'no collection'}{chunks}"]
    parts.append(f"upstream {proxy.upstream or 'unknown'}")
    figures = [(key, value) for key, value in (proxy.metrics or {}).items() if value]
    parts += [f"{key} {value:,.6g}" for key, value in figures[:MOST_FIGURES]]
    return ", ".join(parts)


def line(report: Report) -> str:
    """One look as a plain line."""
    clock = f"{report.time:%H:%M:%S}"
    if report.problem:
        return f"{clock} down since {report.down_since:%H:%M:%S}: {report.problem} {report.fix}"
    window = summary(report.window)
    finished = {key: int(n) for key, n in labelled(report.deltas, "finished").items() if n}
    parts = [
        f"running {report.gauge('running') or 0:.0f} waiting {report.gauge('waiting') or 0:.0f}",
        f"prompt {per_second(report.per_second('prompt_tokens'))}",
        f"generation {per_second(report.per_second('generation_tokens'))}",
        f"TTFT p50/p99 {both(window['ttft_s'])}",
        f"inter-token p50/p99 {both(window['inter_token_s'])}",
        f"KV {share(report.gauge('kv_cache_use'))}",
        f"prefix hits {share(window['prefix_cache_hit_rate'])}",
        "finished " + (" ".join(f"{n} {key}" for key, n in finished.items()) or "0"),
        *(f"GPU {gpu.index} {gpu_text(gpu)}" for gpu in report.gpus),
        f"proxy {(report.proxy.status or 'up') if report.proxy.up else 'down'}",
    ]
    return f"{clock} " + " | ".join(parts)
