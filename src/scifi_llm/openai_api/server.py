"""The server behind a base URL: its key, the models it serves, and whether it is the RAG proxy."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..errors import ToolkitError
from ..settings import setting
from .client import sync_client
from .messages import error_message
from .upstream import CONNECT_SECONDS

START = "Start vLLM with: ./serve_vllm.sh (the proxy before it: ./serve_rag_proxy.sh)"
LOGS = "Read the logs: tail run/*.log"
KEYS = ("OPENAI_API_KEY", "RAG_API_KEY")
LOOK_UP_SECONDS = 300.0  # a CPU may have other requests before ours


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


@dataclass(frozen=True)
class Server:
    """What answers at `base_url`, which ends with /v1. `entry` is the model's in GET /models,
    `upstream` the base URL of vLLM where this is the proxy, else ""."""

    base_url: str
    api_key: str
    entry: dict[str, Any]
    upstream: str

    @property
    def model(self) -> str:
        """The name of the model."""
        return str(self.entry["id"])


def timeout(read: float) -> tuple[float, float, float, float]:
    """Seconds to connect, read, write and wait for a connection."""
    return (CONNECT_SECONDS, read, read, read)


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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`--base-url` and `--model`."""
    default = f"http://127.0.0.1:{setting('VLLM_PORT')}/v1"
    parser.add_argument(
        "--base-url", type=http_url, default=default, metavar="URL", help=f"default: {default}"
    )
    parser.add_argument("--model", metavar="NAME", help="default: the first that is served")


def with_start(error: ToolkitError) -> ToolkitError:
    """The error with the command that starts a server, where nothing answered."""
    absent = error.problem.startswith("Nothing answers")
    # The proxy's own message names a command already.
    return ToolkitError(error.problem.split(" Start ")[0], START) if absent else error


def request(base_url: str, key: str, method: str, path: str, body: Any = None) -> Reply:
    """Ask `path`, relative to /v1 or a whole URL. Raises ToolkitError where nothing answers."""
    try:
        with sync_client(base_url, key) as client:
            seconds = timeout(LOOK_UP_SECONDS)
            response = client.request(method, path, json=body, timeout=seconds)
    except ToolkitError as error:
        raise with_start(error) from None
    try:
        decoded = json.loads(response.content)
    except ValueError:
        decoded = None
    decoded = decoded if isinstance(decoded, dict) else None
    return Reply(response.status_code, decoded, response.content, response.headers)


def look_up(base_url: str, model: str | None = None) -> Server:
    """The server at `base_url`, asked with a key of the environment.

    Raises ToolkitError where nothing answers, the key is wrong or `model` is not served.
    """
    key = ""
    for key in [key for name in KEYS if (key := os.environ.get(name, ""))] or [""]:
        reply = request(base_url, key, "GET", "models")
        if reply.status != 401:
            break
    entries = served_entries(reply, base_url)
    names = [str(entry["id"]) for entry in entries]
    if model and model not in names:
        raise ToolkitError(f"{model} is not served at {base_url}.", f"Served: {', '.join(names)}.")
    health = request(base_url, key, "GET", f"{base_url.removesuffix('/v1')}/health").body or {}
    upstream = health.get("upstream")
    url = str(upstream.get("url", "")).rstrip("/") if isinstance(upstream, dict) else ""
    return Server(base_url, key, entries[names.index(model)] if model else entries[0], url)


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
