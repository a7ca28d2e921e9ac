"""What the health checks share: which server, whole and streamed answers, and their parts.

A server is vLLM itself or the RAG proxy before it, where canon is switched off for the checks.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...console import Parser
from ...errors import ToolkitError
from ...openai_api import error_message, server, sync_client
from ...openai_api.server import LOGS, LOOK_UP_SECONDS, Reply, timeout

TIMEOUT = timeout(LOOK_UP_SECONDS)


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


def request(target: Target, method: str, path: str, body: Any = None) -> Reply:
    """Ask `path`, relative to /v1 or a whole URL. Raises ToolkitError where nothing answers."""
    return server.request(target.base_url, target.api_key, method, path, body)


def arguments(program: str, purpose: str) -> argparse.ArgumentParser:
    """The options that every check has."""
    example = f"example: ./{program} --base-url http://127.0.0.1:8001/v1"
    parser = Parser(prog=program, description=purpose, epilog=example)
    server.add_arguments(parser)
    return parser


def connect(base_url: str, model: str | None = None) -> Target:
    """The server at `base_url`, with a key of the environment, and what it is.

    Raises ToolkitError where nothing answers, the key is wrong or `model` is not served.
    """
    found = server.look_up(base_url, model)
    return Target(base_url, found.model, found.api_key, found.upstream)


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
        client.stream(
            "POST", "chat/completions", json=body, timeout=timeout(LOOK_UP_SECONDS)
        ) as response,
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
