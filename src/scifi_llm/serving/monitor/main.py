"""Watch a running vLLM: `python -m scifi_llm.serving.monitor.main`, started by monitor_vllm.sh.

`--json` prints one object a line per interval. What a server does not tell is null.

    time             when, ISO 8601 with zone
    url              of vLLM
    up               did it answer this time?
    problem          null, or why there are no figures
    down_since       null, or the time of the first look without an answer
    model, version   as served; of vLLM
    uptime_s         of the server
    restarts         of the server, seen since the monitor started
    interval_s       seconds since the previous look, which `deltas` and `rates` cover
    window_s         seconds that `window` covers: the last minute, or less at the start
    totals           since the server started: prompt_tokens, generation_tokens,
                     prefix_cache_queries, prefix_cache_hits, preemptions (all but the last in
                     tokens), finished {reason: requests}
    deltas           the same since the previous look
    rates            prompt_tokens_per_s, generation_tokens_per_s, requests_per_s (finished)
    gauges           running, waiting (requests), kv_cache_use (0 to 1), kv_cache_tokens (capacity)
    window           ttft_s and inter_token_s, each {p50, p99, count} in seconds;
                     prefix_cache_hit_rate (0 to 1)
    since_start      the same since the server started
    gpus             [{index, name, memory_used_bytes, memory_total_bytes, utilisation (0 to 1),
                     temperature_c}]
    gpu_problem      null, or why `gpus` is empty
    proxy            {url, up, status, collection, chunks, upstream, metrics}; `metrics` holds the
                     counts and gauges of its own /metrics by name, null where it has none
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from ...console import run_main
from ...errors import ToolkitError
from ...openai_api import fetch
from ...settings import number, setting
from ..gpu import load_nvml
from . import view
from .report import Report
from .text import line
from .watch import Watcher

INTERVAL_S = (0.2, 3600.0)
HELP = "See: ./monitor_vllm.sh --help"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ToolkitError(f"{message[0].upper()}{message[1:]}.", HELP, status=2)


def arguments(words: list[str]) -> argparse.Namespace:
    """The options in a command line, checked.

    Raises ToolkitError with status 2 where one is wrong.
    """
    parser = _Parser(prog="monitor_vllm.sh", description="Watch a running vLLM.")
    parser.add_argument("port", nargs="?", metavar="PORT", help="of vLLM (8000)")
    parser.add_argument(
        "--interval", default="1", metavar="SECONDS", help="between two looks, 0.2 to 3600 (1)"
    )
    parser.add_argument("--once", action="store_true", help="two looks, one table")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(words)
    port = options.port if options.port is not None else setting("VLLM_PORT")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ToolkitError(f"PORT {port!r} is not between 1 and 65535.", HELP, status=2)
    options.port = int(port)
    low, high = INTERVAL_S
    try:
        options.interval = float(options.interval)
    except ValueError:
        options.interval = float("nan")
    if not low <= options.interval <= high:
        raise ToolkitError(
            f"--interval is not a number between {low:g} and {high:g}.", HELP, status=2
        )
    return options


def address(host: str, port: int) -> str:
    """The URL at which this machine reaches a server that listens on `host`."""
    host = "127.0.0.1" if host in ("", "0.0.0.0", "::") else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def ticks(
    interval: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Iterator[None]:
    """One yield per `interval` seconds, without drift; what a sleeping machine missed is lost."""
    due = clock()
    while True:
        due = max(due + interval, clock())
        sleep(max(0.0, due - clock()))
        yield


def reports(watcher: Watcher, options: argparse.Namespace) -> Iterator[Report]:
    """A report per interval; with --once a single one. The first look is only a baseline.

    Raises ToolkitError with --once where vLLM does not answer.
    """
    first = watcher.look()
    _require(first, options)
    for _ in ticks(options.interval, time.monotonic, time.sleep):
        report = watcher.look()
        _require(report, options)
        yield report
        if options.once:
            return


def _require(report: Report, options: argparse.Namespace) -> None:
    if options.once and report.problem:
        raise ToolkitError(report.problem, report.fix)


def run(watcher: Watcher, options: argparse.Namespace) -> None:
    """Show what `watcher` sees in the form that the options and stdout ask for."""
    if options.json:
        for report in reports(watcher, options):
            print(json.dumps(report.as_json(), ensure_ascii=False, allow_nan=False), flush=True)
    elif options.once:
        for report in reports(watcher, options):
            view.print_table(report)
    elif sys.stdout.isatty():
        with view.live(options.interval) as show:
            show(watcher.look(), watcher.history)
            for _ in ticks(options.interval, time.monotonic, time.sleep):
                show(watcher.look(), watcher.history)
    else:
        for report in reports(watcher, options):
            print(line(report), flush=True)


def main() -> int:
    """Entry of monitor_vllm.sh."""
    options = arguments(sys.argv[1:])
    # `kill` and a closed terminal end it like Ctrl+C: the live view gives the screen back.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _stop)
    proxy_port = int(number("RAG_PORT", 1, 65535))
    watcher = Watcher(
        address(os.environ.get("HOST", ""), options.port),
        address(os.environ.get("RAG_HOST", ""), proxy_port),
        fetch,
        load_nvml(),
        start_command(options.port),
    )
    try:
        run(watcher, options)
    except KeyboardInterrupt:
        if not sys.stdout.isatty():
            return 0
        print()  # behind the ^C that the terminal shows
    return 0


def start_command(port: int) -> str:
    """What starts vLLM on that port."""
    prefix = "" if str(port) == setting("VLLM_PORT") else f"VLLM_PORT={port} "
    return f"{prefix}./serve_vllm.sh"


def _stop(number_: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number_)


if __name__ == "__main__":
    sys.exit(run_main(main))
