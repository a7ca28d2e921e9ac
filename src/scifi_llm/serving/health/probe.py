"""What the health checks share: which server, whole and streamed answers, and their parts.

A server is vLLM itself or the RAG proxy before it, where canon is switched off for the checks.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ...console import Parser
from ...errors import ToolkitError
from ...openai_api import CONNECT_SECONDS, error_message, sync_client
from ...settings import setting

# Connect, read, write, pool: long enough for a CPU that has other requests before ours.
TIMEOUT = (CONNECT_SECONDS, 300.0, 300.0, 300.0)
START = "Start vLLM with: ./serve_vllm.sh (the proxy before it: ./serve_rag_proxy.sh)"
LOGS = "Read the logs: tail run/*.log"


@dataclass(frozen=True)
class Target:
    """A server: `base_url` ends with /v1; `upstream` is vLLM's where this is the proxy, else ""."""

    base_url: str
    model: str
    api_key: str = ""
    upstream: str = ""

    @property
    def root(self) -> str:
        """The address beside /v1, where /health is."""
        return self.base_url.removesuffix("/v1")

    @property
    def vllm_url(self) -> str:
        """The base URL of vLLM itself."""
        return self.upstream or self.base_url

    def chat(self, text: str, max_tokens: int, **more: Any) -> dict[str, Any]:
        """The body of a chat request, without canon unless `rag` says otherwise."""
        rag = {"rag": {"enabled": False}} if self.upstream else {}
        messages = [{"role": "user", "content": text}]
        fixed = {"model": self.model, "max_tokens": max_tokens, "temperature": 0}
        return {**fixed, "messages": messages, **rag, **more}


@dataclass(frozen=True)
class Reply:
    """A whole answer; `body` is None where it is not a JSON object."""

    status: int
    body: dict[str, Any] | None
    raw: bytes
    headers: Mapping[str, str]

    def required(self) -> dict[str, Any]:
        """The body of a success. Raises ToolkitError for anything else."""
        if self.status != 200:
            raise ToolkitError(f"HTTP {self.status}: {error_message(self.raw)}", LOGS)
        if self.body is None:
            raise ToolkitError(f"The answer is no JSON object: {self.raw[:60]!r}.", LOGS)
        return self.body


def request(target: Target, method: str, path: str, body: Any = None) -> Reply:
    """Ask `path`, relative to /v1 or a whole URL. Raises ToolkitError where nothing answers."""
    try:
        with sync_client(target.base_url, target.api_key) as client:
            response = client.request(method, path, json=body, timeout=TIMEOUT)
    except ToolkitError as error:
        raise _with_start(error) from None
    try:
        decoded = json.loads(response.content)
    except ValueError:
        decoded = None
    decoded = decoded if isinstance(decoded, dict) else None
    return Reply(response.status_code, decoded, response.content, response.headers)


def _with_start(error: ToolkitError) -> ToolkitError:
    absent = error.problem.startswith("Nothing answers")
    return ToolkitError(error.problem, START) if absent else error


def http_url(text: str) -> str:
    """A base URL of the command line; /v1 is added where no path is given."""
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if not right:
        form = "http://127.0.0.1:8000/v1"
        raise argparse.ArgumentTypeError(f"{text!r} is no URL such as {form}")
    return text.rstrip("/") + ("" if parts.path.strip("/") else "/v1")


def arguments(program: str, purpose: str) -> argparse.ArgumentParser:
    """The options that every check has."""
    example = f"example: ./{program} --base-url http://127.0.0.1:8001/v1"
    parser = Parser(prog=program, description=purpose, epilog=example)
    default = f"http://127.0.0.1:{setting('VLLM_PORT')}/v1"
    parser.add_argument(
        "--base-url", type=http_url, default=default, metavar="URL", help=f"default: {default}"
    )
    parser.add_argument("--model", metavar="NAME", help="default: the first that is served")
    return parser


def connect(base_url: str, model: str | None = None) -> Target:
    """The server at `base_url`, with a key of the environment, and what it is.

    Raises ToolkitError where nothing answers, the key is wrong or `model` is not served.
    """
    keys = [os.environ.get(name, "") for name in ("OPENAI_API_KEY", "RAG_API_KEY")]
    for key in [key for key in keys if key] or [""]:
        target = Target(base_url, model or "", key)
        reply = request(target, "GET", "models")
        if reply.status != 401:
            break
    names = [str(entry["id"]) for entry in served_entries(reply, base_url)]
    if model and model not in names:
        raise ToolkitError(f"{model} is not served at {base_url}.", f"Served: {', '.join(names)}.")
    upstream = (request(target, "GET", f"{target.root}/health").body or {}).get("upstream")
    url = upstream.get("url", "") if isinstance(upstream, dict) else ""
    return Target(base_url, model or names[0], key, str(url).rstrip("/"))


def served_entries(reply: Reply, base_url: str) -> list[dict[str, Any]]:
    """The models of an answer of GET /models. Raises ToolkitError where there are none."""
    if reply.status == 401:
        raise ToolkitError(
            f"{base_url} wants a key: {error_message(reply.raw)}",
            "Set it with: export OPENAI_API_KEY=… (that of the proxy: RAG_API_KEY)",
        )
    if reply.status != 200:
        # The proxy's own message names the command already.
        raise ToolkitError(
            f"GET {base_url}/models: HTTP {reply.status}: {error_message(reply.raw)}"
        )
    data = (reply.body or {}).get("data")
    entries = [e for e in data if isinstance(e, dict) and "id" in e] if data else []
    if not entries:
        raise ToolkitError(f"{base_url} does not say which models it serves.", START)
    return entries


@dataclass
class Stream:
    """A streamed answer; seconds of time.monotonic()."""

    sent: float
    times: list[float] = field(default_factory=list)  # of every piece of text
    usage: dict[str, Any] = field(default_factory=dict)
    done: bool = False
    ended: float = 0.0

    def take(self, line: str, now: float) -> None:
        """Read one line of the stream. Raises ToolkitError for an error or what is no event."""
        if not line.startswith("data:"):
            return
        data = line[5:].strip()
        if data == "[DONE]":
            self.done = True
            return
        try:
            event = json.loads(data)
            choices = event.get("choices") or []
            pieces = [choice["delta"] for choice in choices]
        except (ValueError, AttributeError, KeyError, TypeError):
            raise ToolkitError(f"The stream holds what is no event: {data[:60]!r}.", LOGS) from None
        if "error" in event:
            raise ToolkitError(f"The stream broke off: {error_message(data.encode())}", LOGS)
        self.usage = event.get("usage") or self.usage
        # Models that think first stream that under another name, which differs between versions.
        texts = (d.get(k) for d in pieces for k in ("content", "reasoning", "reasoning_content"))
        self.times += [now for text in texts if text][:1]


def stream(target: Target, body: dict[str, Any]) -> Stream:
    """POST chat/completions with `stream`, noting when each piece of text came."""
    body = {**body, "stream": True, "stream_options": {"include_usage": True}}
    made = Stream(time.monotonic())
    with (
        sync_client(target.base_url, target.api_key) as client,
        client.stream("POST", "chat/completions", json=body, timeout=TIMEOUT) as response,
    ):
        if response.status_code != 200:
            message = error_message(response.read())
            raise ToolkitError(f"HTTP {response.status_code}: {message}", LOGS)
        for line in response.iter_lines():
            made.take(line, time.monotonic())
    made.ended = time.monotonic()
    return made


def usage_of(answer: Mapping[str, Any]) -> tuple[int, int]:
    """Prompt and answer tokens as the server reports them. Raises ToolkitError without them."""
    usage = answer.get("usage")
    try:
        return int(usage["prompt_tokens"]), int(usage["completion_tokens"])  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        raise ToolkitError("The answer has no usage (prompt_tokens, completion_tokens).") from None


def first_choice(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The first choice of an answer. Raises ToolkitError where there is none."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise ToolkitError("The answer has no choices.", LOGS)
    return choices[0]
