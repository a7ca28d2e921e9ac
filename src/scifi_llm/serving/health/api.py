"""Health check of a server of OpenAI's API: does it answer as clients expect?

`vllm/health_checks/9_health.sh` is `python -m scifi_llm.serving.health.api`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from ...console import log_error, log_next, log_ok, log_test, log_warn, run_main
from ...errors import ToolkitError
from ...openai_api import error_message
from ...openai_api.server import LOGS, Reply, served_entries
from .probe import Target, arguments, connect, first_choice, request, stream, usage_of

QUESTION = "Say hello to the crew of a starship."
BUFFERED_SECONDS = 0.0002  # chunks nearer together than this came in one piece
NEXT = "vllm/health_checks/10_concurrency.sh"


def check_health(target: Target) -> str:
    """/health answers; of the proxy, what it says."""
    reply = request(target, "GET", f"{target.root}/health")
    if reply.status != 200:
        raise ToolkitError(f"HTTP {reply.status}: {error_message(reply.raw)}", LOGS)
    if not target.upstream:
        return "HTTP 200"
    said = reply.required()
    return (
        f"RAG proxy, collection {said.get('collection')} ({said.get('chunks')} chunks), vLLM at "
        f"{target.upstream} is {said['upstream'].get('status')}"
    )


def check_models(target: Target) -> str:
    """The models and their contexts."""
    entries = served_entries(request(target, "GET", "models"), target.base_url)
    lengths = ((e["id"], e.get("max_model_len") or "unknown") for e in entries)
    return ", ".join(f"{name} (max_model_len {length})" for name, length in lengths)


def check_chat(target: Target) -> str:
    """A question is answered; on the proxy with a little canon."""
    rag: dict[str, Any] = {"rag": {"top_k": 1, "budget_tokens": 200}} if target.upstream else {}
    reply = request(target, "POST", "chat/completions", target.chat(QUESTION, 16, **rag))
    answer = reply.required()
    if not isinstance(first_choice(answer).get("message"), dict):
        raise ToolkitError("The answer has no message.", LOGS)
    asked, made = usage_of(answer)
    canon = reply.headers.get("x-rag-status") if target.upstream else None
    if canon == "degraded":
        log_warn(
            "chat: the proxy answered without canon: retrieval failed. See: tail run/proxy-*.log"
        )
    return f"{asked} prompt tokens, {made} answer tokens" + (f", canon {canon}" if canon else "")


def one_by_one(times: list[float]) -> bool:
    """Did at least half of the chunks come apart from the one before?"""
    gaps = [late - early for early, late in pairwise(times)]
    return bool(gaps) and sum(gap > BUFFERED_SECONDS for gap in gaps) * 2 >= len(gaps)


def check_stream(target: Target) -> str:
    """Chunks come one by one, then usage, then [DONE]."""
    body = target.chat(QUESTION, 24, ignore_eos=True)
    for _ in range(3):  # a busy machine may let us read late once
        came = stream(target, body)
        if one_by_one(came.times):
            break
    else:
        raise ToolkitError(
            f"{len(came.times)} chunks came all at once.",
            "Something in between buffers the stream.",
        )
    if not came.done:
        raise ToolkitError("The stream ended without data: [DONE].", LOGS)
    _, made = usage_of({"usage": came.usage})
    first = came.times[0] - came.sent
    return (
        f"{made} tokens in {len(came.times)} chunks, the first after {first:.2f} s, usage, [DONE]"
    )


def check_completions(target: Target) -> str:
    """The older route, that editors use to complete."""
    body = {"model": target.model, "prompt": "Once upon a", "max_tokens": 8, "temperature": 0}
    answer = request(target, "POST", "completions", body).required()
    if not isinstance(first_choice(answer).get("text"), str):
        raise ToolkitError("The answer has no text.", LOGS)
    asked, made = usage_of(answer)
    return f"{asked} prompt tokens, {made} answer tokens"


def check_bad_request(target: Target) -> str:
    """A request that cannot be served is refused with a reason."""
    reply = request(target, "POST", "chat/completions", target.chat(QUESTION, -1))
    return _refused(reply, range(400, 500))


def check_unknown_model(target: Target) -> str:
    """A model that is not served is refused with 404."""
    body = target.chat(QUESTION, 1, model="no-such-model")
    return _refused(request(target, "POST", "chat/completions", body), range(404, 405))


def _refused(reply: Reply, wanted: range) -> str:
    if reply.status not in wanted:
        expected = "404" if len(wanted) == 1 else "a 4xx"
        raise ToolkitError(f"HTTP {reply.status} instead of {expected}.", LOGS)
    error = (reply.body or {}).get("error")
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        raise ToolkitError(f"HTTP {reply.status} without error.message: {reply.raw[:60]!r}.", LOGS)
    return f"HTTP {reply.status}: {error['message'].splitlines()[0]}"


CHECKS: dict[str, Callable[[Target], str]] = {
    "health": check_health,
    "models": check_models,
    "chat": check_chat,
    "stream": check_stream,
    "completions": check_completions,
    "bad request": check_bad_request,
    "unknown model": check_unknown_model,
}


def run_checks(target: Target, checks: Mapping[str, Callable[[Target], str]] = CHECKS) -> int:
    """Run all of them, a line each; the number that failed."""
    failed = 0
    for name, check in checks.items():
        started = time.monotonic()
        try:
            line = check(target)
        except ToolkitError as error:
            failed += 1
            log_error(f"{name}: {error.problem} ({time.monotonic() - started:.2f} s)", error.fix)
        else:
            log_ok(f"{name}: {line} ({time.monotonic() - started:.2f} s)")
    return failed


def main() -> int:
    """Entry of 9_health.sh."""
    options = arguments(
        "9_health.sh", "Check that a server answers as clients expect."
    ).parse_args()
    log_test(f"Checking {options.base_url}")
    target = connect(options.base_url, options.model)
    if failed := run_checks(target):
        raise ToolkitError(f"{failed} of {len(CHECKS)} checks failed.", LOGS)
    log_next(NEXT)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
