"""The server that is measured: its address, its model, and timed answers of it."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from typing import Any

from ..console import Parser
from ..errors import ToolkitError
from ..openai_api import error_message, server, sync_client

TIMEOUT = server.timeout(1800.0)
GONE = 503  # the proxy's answer where its vLLM does not run


@dataclass(frozen=True)
class Target:
    """A server: `base_url` ends with /v1; `context` is its window in tokens, 0 where unknown."""

    base_url: str
    model: str
    api_key: str = ""
    context: int = 0
    proxy: bool = False
    version: str = ""


@dataclass
class Answer:
    """A streamed answer. Seconds; `ttft` is None without text, `error` "" where all went well."""

    text: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    cached_tokens: int | None = None
    completion_tokens: int = 0
    ttft: float | None = None
    seconds: float = 0.0
    error: str = ""

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens after the first through the time after the first; None for fewer than 2."""
        if self.ttft is None or self.completion_tokens < 2 or self.seconds <= self.ttft:
            return None
        return (self.completion_tokens - 1) / (self.seconds - self.ttft)


def arguments(program: str, purpose: str, epilog: str = "") -> Parser:
    """A parser with the options that every benchmark has."""
    parser = Parser(
        prog=program,
        description=purpose,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server.add_arguments(parser)
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--quick", action="store_true", help="minutes on a CPU; proves it works")
    parser.add_argument("--out", metavar="DIR", help="default: vllm/benchmarks/results")
    parser.add_argument("--fresh", action="store_true", help="do not go on with a run cut short")
    return parser


def connect(base_url: str, model: str | None = None) -> Target:
    """The server at `base_url` with a key of the environment, and what it serves.

    Raises ToolkitError where nothing answers, the key is wrong or `model` is not served.
    """
    found = server.look_up(base_url, model)
    place = f"{base_url.removesuffix('/v1')}/version"
    version = server.request(base_url, found.api_key, "GET", place).body or {}
    return Target(
        base_url,
        found.model,
        found.api_key,
        int(found.entry.get("max_model_len") or 0),
        bool(found.upstream),
        str(version.get("version", "")),
    )


def ask(target: Target, messages: list[dict[str, str]], **options: Any) -> Answer:
    """Stream one chat answer and time it.

    An error answer of the server is kept in `error`. Raises ToolkitError where nothing answers, or
    where a proxy says that nothing answers behind it.
    """
    body = {
        "model": target.model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        **options,
    }
    answer, started = Answer(), time.monotonic()
    try:
        with (
            sync_client(target.base_url, target.api_key) as client,
            client.stream("POST", "chat/completions", json=body, timeout=TIMEOUT) as response,
        ):
            if response.status_code == GONE:
                raise ToolkitError(error_message(response.read()))
            if response.status_code != 200:
                answer.error = f"HTTP {response.status_code}: {error_message(response.read())}"
            else:
                for line in response.iter_lines():
                    _take(answer, line, time.monotonic() - started)
    except ToolkitError as error:
        if error.problem.startswith("Nothing answers"):
            raise server.with_start(error) from None
        answer.error = error.problem
    answer.seconds = time.monotonic() - started
    if not answer.error and not answer.finish_reason:
        answer.error = "the stream ended without a finish_reason"
    return answer


def _object(text: str) -> dict[str, Any]:
    try:
        decoded = json.loads(text)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _take(answer: Answer, line: str, now: float) -> None:
    if not line.startswith("data:") or line[5:].strip() == "[DONE]":
        return
    event = _object(line[5:])
    if "error" in event:
        answer.error = error_message(line[5:].encode())
        return
    usage = event.get("usage") or {}
    answer.prompt_tokens = usage.get("prompt_tokens") or answer.prompt_tokens
    answer.completion_tokens = usage.get("completion_tokens") or answer.completion_tokens
    details = usage.get("prompt_tokens_details") or {}
    if details.get("cached_tokens") is not None:
        answer.cached_tokens = details["cached_tokens"]
    for choice in event.get("choices") or []:
        piece = (choice.get("delta") or {}).get("content") or ""
        if piece and answer.ttft is None:
            answer.ttft = now
        answer.text += piece
        answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
