"""The server that is measured: its address, its model, and timed answers of it."""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..console import Parser
from ..errors import ToolkitError
from ..openai_api import CONNECT_SECONDS, error_message, sync_client
from ..settings import setting

START = "Start vLLM with: ./serve_vllm.sh (the proxy before it: ./serve_rag_proxy.sh)"
READ_SECONDS = 1800.0
GONE = 503  # the proxy's answer where its vLLM does not run
TIMEOUT = (CONNECT_SECONDS, READ_SECONDS, READ_SECONDS, READ_SECONDS)  # connect read write pool


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


def http_url(text: str) -> str:
    """A base URL of the command line; /v1 is added where no path is given."""
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL such as http://127.0.0.1:8000/v1")
    return text.rstrip("/") + ("" if parts.path.strip("/") else "/v1")


def arguments(program: str, purpose: str, epilog: str = "") -> Parser:
    """A parser with the options that every benchmark has."""
    parser = Parser(
        prog=program,
        description=purpose,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = f"http://127.0.0.1:{setting('VLLM_PORT')}/v1"
    parser.add_argument(
        "--base-url", type=http_url, default=default, metavar="URL", help=f"default: {default}"
    )
    parser.add_argument("--model", metavar="NAME", help="default: the first that is served")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--quick", action="store_true", help="minutes on a CPU; proves it works")
    parser.add_argument("--out", metavar="DIR", help="default: vllm/benchmarks/results")
    parser.add_argument("--fresh", action="store_true", help="do not go on with a run cut short")
    return parser


def connect(base_url: str, model: str | None = None) -> Target:
    """The server at `base_url` with a key of the environment, and what it serves.

    Raises ToolkitError where nothing answers, the key is wrong or `model` is not served.
    """
    keys = [os.environ.get(name, "") for name in ("OPENAI_API_KEY", "RAG_API_KEY")]
    status, body = 0, b""
    key = ""
    for key in [key for key in keys if key] or [""]:
        status, body = _get(base_url, key, "models")
        if status != 401:
            break
    if status == 401:
        raise ToolkitError(
            f"{base_url} wants a key.", "Set it with: export OPENAI_API_KEY=… (proxy: RAG_API_KEY)"
        )
    entries = [e for e in _object(body).get("data") or [] if isinstance(e, dict) and "id" in e]
    if status != 200 or not entries:
        raise ToolkitError(f"{base_url} does not say which models it serves.", START)
    names = [str(entry["id"]) for entry in entries]
    if model and model not in names:
        raise ToolkitError(f"{model} is not served at {base_url}.", f"Served: {', '.join(names)}.")
    root = base_url.removesuffix("/v1")
    entry = entries[names.index(model)] if model else entries[0]
    return Target(
        base_url,
        str(entry["id"]),
        key,
        int(entry.get("max_model_len") or 0),
        isinstance(_object(_get(base_url, key, f"{root}/health")[1]).get("upstream"), dict),
        str(_object(_get(base_url, key, f"{root}/version")[1]).get("version", "")),
    )


def _get(base_url: str, key: str, path: str) -> tuple[int, bytes]:
    try:
        with sync_client(base_url, key) as client:
            response = client.get(path, timeout=TIMEOUT)
    except ToolkitError as error:
        raise with_start(error) from None
    return response.status_code, response.content


def _object(body: bytes) -> dict[str, Any]:
    try:
        decoded = json.loads(body)
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def with_start(error: ToolkitError) -> ToolkitError:
    """The error with the command that starts a server, where nothing answered."""
    absent = error.problem.startswith("Nothing answers")
    # The proxy's own message names a command already.
    return ToolkitError(error.problem.split(" Start ")[0], START) if absent else error


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
            raise with_start(error) from None
        answer.error = error.problem
    answer.seconds = time.monotonic() - started
    if not answer.error and not answer.finish_reason:
        answer.error = "the stream ended without a finish_reason"
    return answer


def _take(answer: Answer, line: str, now: float) -> None:
    if not line.startswith("data:") or line[5:].strip() == "[DONE]":
        return
    event = _object(line[5:].encode())
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
