"""Check that vLLM's counters at /metrics move by exactly what its answers report as usage."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from ...console import log_error, log_next, log_ok, log_test, log_warn
from ...errors import ToolkitError
from ...openai_api import fetch
from ..metrics import Snapshot, difference, labelled, read, restarted
from .probe import Target, arguments, connect, request, usage_of

REQUESTS = 3
TRIES = 3
TOKENS = 16
SETTLE_SECONDS = 3.0  # vLLM counts a moment after it has answered
STATS = "Start vLLM without --disable-log-stats: ./stop_vllm.sh && ./serve_vllm.sh"
BUSY = "Let the other clients finish (an editor, a benchmark) and run this again."
NEXT = "vllm/health_checks/13_sanity_snapshot.sh"


@dataclass(frozen=True)
class Counted:
    """What was counted: by the counters, or as the answers report it."""

    requests: int
    prompt_tokens: int
    generation_tokens: int


def metrics_url(target: Target) -> str:
    """Where vLLM serves its counters: beside its /v1."""
    return target.vllm_url.removesuffix("/v1") + "/metrics"


def scrape(url: str) -> Snapshot:
    """The counters. Raises ToolkitError where there are none."""
    text = fetch(url, 10.0)
    snapshot = read(text) if text is not None else None
    if snapshot is None or ("prompt_tokens", "") not in snapshot.counts:
        what = "Nothing answers at" if text is None else "vLLM's counters are not at"
        raise ToolkitError(f"{what} {url}.", STATS)
    return snapshot


def moved(before: Snapshot, after: Snapshot) -> Counted:
    """What the counters counted in between."""
    counts = difference(before, after)
    return Counted(
        round(sum(labelled(counts, "finished").values())),
        round(counts.get(("prompt_tokens", ""), 0.0)),
        round(counts.get(("generation_tokens", ""), 0.0)),
    )


def work(target: Target, requests: int) -> Counted:
    """Send requests, one after another; what their answers report."""
    asked = made = 0
    for place in range(requests):
        # The last two are the same: what comes from the prefix cache counts as prompt, too.
        text = f"Name {min(place + 1, max(requests - 1, 1))} stars."
        answer = request(target, "POST", "chat/completions", target.chat(text, TOKENS + place))
        prompt, completion = usage_of(answer.required())
        asked, made = asked + prompt, made + completion
    return Counted(requests, asked, made)


def settled(url: str, before: Snapshot, wanted: Counted) -> tuple[Counted, bool]:
    """What was counted as soon as it is all that is wanted, and whether others are at work."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        after = scrape(url)
        if restarted(before, after):
            raise ToolkitError("vLLM was started anew meanwhile.", "Run this again.")
        counted = moved(before, after)
        late = time.monotonic() > deadline
        if late or (
            counted.requests >= wanted.requests
            and counted.prompt_tokens >= wanted.prompt_tokens
            and counted.generation_tokens >= wanted.generation_tokens
        ):
            return counted, busy(after)
        time.sleep(0.2)


def busy(snapshot: Snapshot) -> bool:
    """Is any request running or waiting?"""
    return snapshot.gauges.get("running", 0.0) + snapshot.gauges.get("waiting", 0.0) > 0


def measure(target: Target, url: str, requests: int) -> tuple[Counted, Counted]:
    """(reported, counted) of a try that nobody else disturbed.

    Raises ToolkitError where others had requests in each of TRIES.
    """
    for attempt in range(1, TRIES + 1):
        before = scrape(url)
        reported = work(target, requests)
        counted, others = settled(url, before, reported)
        # A foreign request that ended is counted; one that runs has tokens counted already.
        if not (busy(before) or others or counted.requests > requests):
            return reported, counted
        log_warn(f"Other requests ran on vLLM meanwhile (try {attempt} of {TRIES}).")
        time.sleep(0.5)
    raise ToolkitError("The counters cannot be checked while others use vLLM.", BUSY)


def compare(reported: Counted, counted: Counted) -> int:
    """A line for each counter; the number of those that differ."""
    wrong = 0
    rows = (
        ("request_success", reported.requests, counted.requests, "requests answered"),
        ("prompt_tokens", reported.prompt_tokens, counted.prompt_tokens, "in usage"),
        ("generation_tokens", reported.generation_tokens, counted.generation_tokens, "in usage"),
    )
    for name, expected, found, what in rows:
        if expected == found:
            log_ok(f"vllm:{name}: +{found}, {expected} {what}")
        else:
            wrong += 1
            log_error(f"vllm:{name}: +{found}, but {expected} {what}.")
    return wrong


def main() -> int:
    """Entry of 12_metrics_check.py."""
    parser = arguments("12_metrics_check.py", "Check vLLM's counters against known requests.")
    parser.add_argument("--requests", type=int, default=REQUESTS, metavar="N", help="default: 3")
    options = parser.parse_args()
    if not 1 <= options.requests <= 100:
        parser.error("--requests must be from 1 to 100")
    target = connect(options.base_url, options.model)
    url = metrics_url(target)
    where = urlsplit(url)
    log_test(
        f"{options.requests} requests to {target.base_url}, counted at "
        f"{where.scheme}://{where.netloc.rpartition('@')[2]}{where.path}"
    )
    if compare(*measure(target, url, options.requests)):
        raise ToolkitError("vLLM's counters do not agree with its answers.", STATS)
    log_next(NEXT)
    return 0
