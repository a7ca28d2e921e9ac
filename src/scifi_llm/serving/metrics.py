"""vLLM's own figures: the text of /metrics as counts and gauges, their differences, quantiles.

Pure: text and numbers in, numbers out. METRICS is the one table of vLLM's names; what is behind an
entry is called by our key everywhere else.

The text format is read by the few lines here and not by `prometheus_client`, which comes with vLLM:
it is in no other environment, so that neither the unit tests nor the type checker would see it.
tests/live compares both on a real server.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

Labels = dict[str, str]
# (our key, value of the label that is kept apart or "") -> how many since the server started
Counts = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Metric:
    """Where a figure is found.

    `names`: the samples that may hold it, the newest vLLM's first; only the first that is there is
    read (0.10.2 gives some figures under both names). `label`: kept apart; over all others, such as
    the engines', the values are summed, or with `largest` the largest is taken.
    """

    names: tuple[str, ...]
    label: str = ""
    gauge: bool = False
    largest: bool = False


METRICS = {
    "running": Metric(("vllm:num_requests_running",), gauge=True),
    "waiting": Metric(("vllm:num_requests_waiting",), gauge=True),
    # A share of 1 for each engine: the fullest one is the one that preempts.
    "kv_cache_use": Metric(
        ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"), gauge=True, largest=True
    ),
    "prompt_tokens": Metric(("vllm:prompt_tokens_total",)),
    "generation_tokens": Metric(("vllm:generation_tokens_total",)),
    "prefix_cache_queries": Metric(
        ("vllm:prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries_total")
    ),
    "prefix_cache_hits": Metric(
        ("vllm:prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits_total")
    ),
    "preemptions": Metric(("vllm:num_preemptions_total",)),
    "finished": Metric(("vllm:request_success_total",), label="finished_reason"),
    "ttft_s": Metric(("vllm:time_to_first_token_seconds_bucket",), label="le"),
    "inter_token_s": Metric(
        (
            "vllm:inter_token_latency_seconds_bucket",
            "vllm:time_per_output_token_seconds_bucket",
        ),
        label="le",
    ),
}
STARTED = "process_start_time_seconds"  # of the API server; absent with several of them
CACHE = "vllm:cache_config_info"
PLAIN = tuple(key for key, m in METRICS.items() if not m.gauge and not m.label)

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {r"\n": "\n", r"\"": '"', r"\\": "\\"}


def samples(text: str) -> Iterator[tuple[str, Labels, float]]:
    """(name, labels, value) of every sample in a text of Prometheus' exposition format.

    https://prometheus.io/docs/instrumenting/exposition_formats/; lines that are none are passed by.
    """
    for line in text.split("\n"):
        found = None if line.startswith("#") else _SAMPLE.fullmatch(line.strip())
        if not found:
            continue
        name, inside, number = found.groups()
        try:
            value = float(number)
        except ValueError:
            continue
        labels = {key: _unescape(raw) for key, raw in _LABEL.findall(inside or "")}
        yield name, labels, value


def _unescape(raw: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES.get(found[0], found[0]), raw)


@dataclass(frozen=True)
class Snapshot:
    """One scrape. `started`: unix time in s; `kv_cache_tokens`: how many fit, over all engines."""

    counts: Counts = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    model: str = ""
    started: float | None = None
    kv_cache_tokens: int | None = None


def read(text: str) -> Snapshot | None:
    """The snapshot in the text of /metrics, or None where vLLM's figures are not in it."""
    wanted = {name for metric in METRICS.values() for name in metric.names} | {STARTED, CACHE}
    found: dict[str, list[tuple[Labels, float]]] = {}
    for name, labels, value in samples(text):
        if name in wanted and math.isfinite(value):
            found.setdefault(name, []).append((labels, value))
    counts: Counts = {}
    gauges: dict[str, float] = {}
    for key, metric in METRICS.items():
        rows = next((found[name] for name in metric.names if name in found), [])
        if metric.gauge and rows:
            values = [value for _, value in rows]
            gauges[key] = max(values) if metric.largest else sum(values)
        for labels, value in rows if not metric.gauge else []:
            place = (key, labels.get(metric.label, ""))
            counts[place] = counts.get(place, 0.0) + value
    if not gauges and not counts:
        return None
    models = [labels.get("model_name", "") for name in METRICS["running"].names
              for labels, _ in found.get(name, [])]  # fmt: skip
    starts = [value for _, value in found.get(STARTED, [])]
    return Snapshot(
        counts,
        gauges,
        models[0] if models else "",
        max(starts) if starts else None,
        sum(_cache_tokens(labels) for labels, _ in found.get(CACHE, [])) or None,
    )


def _cache_tokens(labels: Labels) -> int:
    """Tokens that one engine's KV cache holds; 0 where its labels do not tell."""
    direct = labels.get("kv_cache_size_tokens", "")  # not in 0.10.2
    if direct.isdigit():
        return int(direct)
    blocks, size = labels.get("num_gpu_blocks", ""), labels.get("block_size", "")
    return int(blocks) * int(size) if blocks.isdigit() and size.isdigit() else 0


def restarted(before: Snapshot, after: Snapshot) -> bool:
    """Did the server start anew in between? By its start time, else by a count that went back."""
    if before.started and after.started and abs(after.started - before.started) > 1:
        return True
    return any(after.counts.get(place, 0.0) < value for place, value in before.counts.items())


def difference(before: Snapshot, after: Snapshot) -> Counts:
    """What was counted between two scrapes, never negative.

    After a restart that is what the new server has counted, as Prometheus' increase() has it.
    """
    base: Counts = {} if restarted(before, after) else before.counts
    return {place: value - base.get(place, 0.0) for place, value in after.counts.items()}


def total(parts: list[Counts]) -> Counts:
    """The sum of several differences."""
    result: Counts = {}
    for part in parts:
        for place, value in part.items():
            result[place] = result.get(place, 0.0) + value
    return result


def labelled(counts: Counts, key: str) -> dict[str, float]:
    """The counts of one key by its label: finish reasons, or upper bounds of buckets."""
    return {label: value for (name, label), value in counts.items() if name == key}


def ratio(counts: Counts, part: str, whole: str) -> float | None:
    """counts[part] / counts[whole], or None where nothing was counted."""
    base = counts.get((whole, ""), 0.0)
    return counts.get((part, ""), 0.0) / base if base > 0 else None


def quantile(q: float, buckets: Mapping[str, float]) -> float | None:
    """The q-quantile (0 < q <= 1) of a histogram, in the unit of its bounds; None if it is empty.

    `buckets`: cumulative counts by their `le`. Prometheus' histogram_quantile: values are taken to
    lie evenly within a bucket, the first one starts at 0, and what falls into the last one (+Inf)
    is given its lower bound.
    https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
    """
    bounds = sorted((float(le), count) for le, count in buckets.items())
    if not bounds or bounds[-1][1] <= 0:
        return None
    rank = q * bounds[-1][1]
    at = next(i for i, (_, count) in enumerate(bounds) if count >= rank)
    high, count = bounds[at]
    low, below = bounds[at - 1] if at else (min(0.0, high), 0.0)
    return low if high == float("inf") else low + (high - low) * (rank - below) / (count - below)
