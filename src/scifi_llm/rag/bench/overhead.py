"""What the proxy costs: requests per second and milliseconds over a mock upstream."""

from __future__ import annotations

import json
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ...console import log_ok, log_test, log_warn
from ...errors import ToolkitError
from ...paths import rag_home
from .processes import (
    LITELLM_ENV,
    free_port,
    litellm_command,
    load,
    metric,
    proxy_command,
    server,
    upstream_command,
)
from .record import about, chosen, keep, parser

# The server that is measured has a core; the mock upstream and the load generator share another.
SERVER_CORE, LOAD_CORE = 0, 1
LOADS: dict[str, dict[str, int]] = {
    "1 client": {"clients": 1},
    "9 clients": {"clients": 9},
    "1 client, streams": {"clients": 1, "stream": 1},
    "9 clients, streams": {"clients": 9, "stream": 1},
}
OFF = '{"enabled":false}'
MEMORY_REQUESTS, MEMORY_PARTS = 20_000, 10
# Ours against LiteLLM's requests per second, and added milliseconds.
TARGETS = {"whole": 8.0, "streams": 20.0, "added_ms": 2.5, "retrieval_added_ms": 3.0}
Rows = dict[str, dict[str, Any]]


def measure(url: str, seconds: float, rounds: int, rag: str = "") -> Rows:
    """Median of rounds for each load."""
    rows: Rows = {}
    for name, what in LOADS.items():
        more = {"rag": rag} if rag else {}
        load(url, LOAD_CORE, seconds=0.5, **what, **more)  # what is lazily made is made
        found = [load(url, LOAD_CORE, seconds=seconds, **what, **more) for _ in range(rounds)]
        rows[name] = {key: statistics.median(row[key] for row in found) for key in found[0]}
    return rows


def search_ms(url: str, seconds: float) -> dict[str, float]:
    """With retrieval and one client: medians of a request and of its time beside the search.

    Each question is asked once: of one that was asked before the vector and the record are there.
    """
    load(url, LOAD_CORE, seconds=0.5, clients=1, series="a")
    searched = "rag_proxy_retrieval_seconds_sum"
    row = load(url, LOAD_CORE, seconds=seconds, clients=1, series="b", beside=searched)
    return {key: row[key] for key in ("p50_ms", "beside_p50_ms", "requests")}


def memory(url: str) -> list[float]:
    """MB of resident memory after each tenth of MEMORY_REQUESTS, half of them streams.

    Growth is told from the third on: before, what is made at first use is made.
    """
    found = []
    for part in range(MEMORY_PARTS):
        requests = MEMORY_REQUESTS // MEMORY_PARTS
        what = {"clients": 9, "stream": part % 2, "requests": requests, "seconds": 600}
        load(url, LOAD_CORE, rag=OFF, **what)
        found.append(round(metric(url, "process_resident_memory_bytes") / 1e6, 1))
    return found


def run(
    collection: str, seconds: float, rounds: int, peer: str, with_memory: bool
) -> dict[str, Any]:
    """Everything, one server after the other."""
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder, back, front = Path(scratch), free_port(), free_port()
        base = f"http://127.0.0.1:{back}"
        stack.enter_context(
            server("The mock upstream", upstream_command(back), f"{base}/v1/models",
                   folder / "upstream.log", LOAD_CORE, {})
        )  # fmt: skip
        log_test("The upstream alone")
        result["upstream"] = measure(base, seconds, rounds)
        url = f"http://127.0.0.1:{front}"
        env = {"BUDGET_TOKENS": "2000"}
        command = proxy_command(collection, front, back)
        log = rag_home() / "bench_proxy.log"
        with server("The proxy", command, f"{url}/health", log, SERVER_CORE, env):
            log_test("The proxy without retrieval")
            result["proxy"] = measure(url, seconds, rounds, OFF)
            log_test("The proxy with retrieval")
            result["retrieval"] = search_ms(url, seconds)
            if with_memory:
                log_test(f"Memory over {MEMORY_REQUESTS} requests")
                result["memory_mb"] = memory(url)
        log.unlink(missing_ok=True)
        if peer == "litellm":
            port = free_port()
            command, there = litellm_command(folder, port, back), f"http://127.0.0.1:{port}"
            log_test("LiteLLM")
            with server("LiteLLM", command, f"{there}/health/liveliness",
                        rag_home() / "bench_litellm.log", SERVER_CORE, LITELLM_ENV):  # fmt: skip
                result["litellm"] = measure(there, seconds, rounds)
            (rag_home() / "bench_litellm.log").unlink(missing_ok=True)
    return {**about(peer), **result, "summary": summary(result)}


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """Ratios to LiteLLM, added milliseconds, growth of memory. Pure."""
    alone, ours, peer = result["upstream"], result["proxy"], result.get("litellm")
    found: dict[str, Any] = {
        "added_ms": round(ours["1 client"]["p50_ms"] - alone["1 client"]["p50_ms"], 3),
        "wrong": sum(row["wrong"] for rows in (alone, ours) for row in rows.values()),
    }
    beside = result["retrieval"]["beside_p50_ms"] - alone["1 client"]["p50_ms"]
    found["retrieval_added_ms"] = round(beside, 3)
    if peer:
        found["ratio"] = {
            name: round(row["per_second"] / peer[name]["per_second"], 1)
            for name, row in ours.items()
        }
    if sizes := result.get("memory_mb"):
        found["memory_growth_mb"] = round(sizes[-1] - sizes[len(sizes) // 5], 1)
    return found


def table(result: dict[str, Any]) -> str:
    """Requests per second and median milliseconds, as a Markdown table. Pure."""
    names = [name for name in ("upstream", "proxy", "litellm") if name in result]
    lines = ["| load | " + " | ".join(names) + " |", "| --- " * (len(names) + 1) + "|"]
    for load_name in LOADS:
        rows = [result[name][load_name] for name in names]
        cells = [f"{row['per_second']:.0f}/s, {row['p50_ms']:.2f} ms" for row in rows]
        lines.append(f"| {load_name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def missed(found: dict[str, Any]) -> list[str]:
    """Which targets are not reached. Pure."""
    problems = [
        f"{key} is {found[key]}, wanted at most {TARGETS[key]}"
        for key in ("added_ms", "retrieval_added_ms")
        if found[key] > TARGETS[key]
    ]
    for name, ratio in found.get("ratio", {}).items():
        wanted = TARGETS["streams" if "streams" in name else "whole"]
        if ratio < wanted:
            problems.append(f"{name}: {ratio} times LiteLLM's rate, wanted {wanted:g}")
    return problems


def main() -> int:
    """Entry of RAG/benchmarks/measure_proxy.py."""
    made = parser("measure_proxy.py", "Measure what the proxy costs.", "proxy_overhead.json")
    made.add_argument("--peer", choices=("litellm",), help="measure it too, side by side")
    made.add_argument("--seconds", type=float, default=4.0, metavar="N", help="per load (4)")
    made.add_argument("--rounds", type=int, default=3, metavar="N", help="median of so many (3)")
    made.add_argument("--no-memory", action="store_true", help="leave the 20000 requests out")
    options = made.parse_args()
    if not 0.1 <= options.seconds <= 60 or not 1 <= options.rounds <= 20:
        raise ToolkitError("--seconds must be from 0.1 to 60, --rounds from 1 to 20.")
    result = run(
        chosen(options.collection), options.seconds, options.rounds, options.peer or "",
        not options.no_memory,
    )  # fmt: skip
    keep(result, options.out)
    print(table(result))
    print(json.dumps(result["summary"]))
    for problem in missed(result["summary"]):
        log_warn(problem)
    log_ok(f"Written: {options.out}")
    return 0
