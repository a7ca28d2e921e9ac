"""Proof that a server works on several requests at the same time.

`vllm/health_checks/10_concurrency.sh` runs it. Each request is streamed; they overlap where a
moment lies between the first and the last token of several.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from ...console import log_next, log_ok, log_test, log_warn, run_main
from ...errors import ToolkitError
from ...settings import number
from .probe import Stream, Target, arguments, connect, stream

TOKENS = (48, 192)  # of each answer; the second where the first were too short to meet
# Share of a request that does not count at each end: a busy machine may let us read the end of one
# after the beginning of the next.
EDGE = 0.1
REQUESTS = 4
MOST_REQUESTS = 64
NEXT = "vllm/health_checks/11_tool_call_test.py"


def overlap(spans: list[tuple[float, float]]) -> int:
    """The most of these (first, last) that share a moment; those that only touch do not."""
    edges = sorted([(first, 1) for first, _ in spans] + [(last, -1) for _, last in spans])
    now = most = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def together(target: Target, requests: int, tokens: int) -> list[Stream]:
    """Streams of `requests` answers of `tokens` tokens that were asked for at the same time."""
    start = threading.Barrier(requests)

    def ask(place: int) -> Stream:
        # Each begins in its own words: none may wait for another's entry of the prefix cache.
        body = target.chat(f"{place} stars. Tell a long story.", tokens, ignore_eos=True)
        start.wait()
        return stream(target, body)

    with ThreadPoolExecutor(requests) as pool:
        return list(pool.map(ask, range(1, requests + 1)))


def spans_of(streams: list[Stream]) -> list[tuple[float, float]]:
    """First and last token of each, less EDGE. Raises ToolkitError where one has no text."""
    if not all(one.times for one in streams):
        raise ToolkitError("A request was answered with no text.", "Read the logs: tail run/*.log")
    edges = (
        (one.times[0], one.times[-1], EDGE * (one.times[-1] - one.times[0])) for one in streams
    )
    return [(first + edge, last - edge) for first, last, edge in edges]


def report(streams: list[Stream]) -> None:
    """A line for each request, and what all took."""
    begun = min(one.sent for one in streams)
    for place, one in enumerate(streams, start=1):
        log_ok(
            f"Request {place}: first token at {one.times[0] - begun:.2f} s, "
            f"last at {one.times[-1] - begun:.2f} s, {len(one.times)} chunks"
        )
    wall = max(one.ended for one in streams) - begun
    alone = sum(one.ended - one.sent for one in streams)
    log_ok(f"All took {wall:.2f} s; the times of the {len(streams)} add up to {alone:.2f} s")


def more_command(target: Target, requests: int) -> str:
    """The command that lets vLLM run so many requests at the same time."""
    port = urlsplit(target.vllm_url).port or 80
    # Below that default some versions of vLLM do not start on a GPU.
    seqs = max(requests, int(number("CUDA_MAX_SEQS", 1, 4096)))
    return f"./stop_vllm.sh {port} && ./serve_vllm.sh {target.model} {port} {seqs}"


def check(target: Target, requests: int) -> None:
    """Print the proof. Raises ToolkitError where no two requests overlapped."""
    most, streams = 0, []
    for tokens in TOKENS:
        log_test(f"{requests} requests of {tokens} tokens at the same time to {target.base_url}")
        started = time.monotonic()
        streams = together(target, requests, tokens)
        most = overlap(spans_of(streams))
        if most == requests:
            break
        log_test(f"{most} of {requests} overlapped within {time.monotonic() - started:.1f} s")
    report(streams)
    fix = f"Its limit is MAX_SEQS, the third argument: {more_command(target, requests)}"
    if most < 2:
        raise ToolkitError("No two requests overlapped: the server works on one at a time.", fix)
    if most < requests:
        log_warn(f"Only {most} of {requests} ran at the same time; the others waited. {fix}")
    else:
        log_ok(f"At one moment all {requests} were between their first and last token")


def main() -> int:
    """Entry of 10_concurrency.sh."""
    parser = arguments("10_concurrency.sh", "Prove that requests run at the same time.")
    parser.add_argument("--requests", type=int, default=REQUESTS, metavar="N", help="default: 4")
    options = parser.parse_args()
    if not 2 <= options.requests <= MOST_REQUESTS:
        parser.error(f"--requests must be from 2 to {MOST_REQUESTS}")
    check(connect(options.base_url, options.model), options.requests)
    log_next(NEXT)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
