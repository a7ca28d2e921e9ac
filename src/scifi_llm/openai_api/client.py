"""A small synchronous client for scripts that ask a server one thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import ToolkitError
from .messages import error_message
from .sse import DONE
from .upstream import CONNECT_SECONDS, READ_SECONDS

if TYPE_CHECKING:
    import httpx


@contextmanager
def sync_client(base_url: str, api_key: str = "") -> Iterator[httpx.Client]:
    """A client of `base_url` whose connection failures are ToolkitErrors."""
    import httpx

    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    headers = {"authorization": f"Bearer {api_key or 'EMPTY'}"}
    base = base_url.rstrip("/") + "/"
    try:
        with httpx.Client(base_url=base, timeout=timeout, headers=headers, trust_env=False) as made:
            yield made
    except httpx.ConnectError:
        raise ToolkitError(
            f"Nothing answers at {base_url}.", "Start the servers with: ./quickstart.sh"
        ) from None
    except httpx.HTTPError as error:
        raise ToolkitError(
            f"{base_url} broke off the answer ({type(error).__name__}).",
            "Read the logs: tail run/*.log",
        ) from None


def fetch(url: str, seconds: float) -> str | None:
    """The text behind `url`, or None where nothing answers with 200 within `seconds`."""
    import httpx

    try:
        response = httpx.get(url, timeout=seconds, trust_env=False)
    except httpx.HTTPError:
        return None
    return response.text if response.status_code == 200 else None


def served_model(base_url: str, api_key: str = "") -> str:
    """The name of the first model that is served.

    Raises ToolkitError where nothing answers or nothing is served.
    """
    with sync_client(base_url, api_key) as client:
        response = client.get("models")
    if response.status_code != 200:
        raise ToolkitError(error_message(response.content))
    try:
        return str(response.json()["data"][0]["id"])
    except (ValueError, KeyError, IndexError, TypeError):
        raise ToolkitError(
            f"No model is served at {base_url}.", "Start one: ./serve_vllm.sh"
        ) from None


@contextmanager
def stream_chat(base_url: str, body: dict[str, Any], api_key: str) -> Iterator[Iterator[Any]]:
    """POST /chat/completions with `stream` and give an iterator over its decoded events.

    Raises ToolkitError where nothing answers, or with the message of an error answer.
    """
    with (
        sync_client(base_url, api_key) as client,
        client.stream("POST", "chat/completions", json={**body, "stream": True}) as response,
    ):
        if response.status_code != 200:
            raise ToolkitError(error_message(response.read()))
        yield _events(response)


def _events(response: httpx.Response) -> Iterator[Any]:
    for line in response.iter_lines():
        if line.startswith("data: ") and line != DONE.decode():
            yield json.loads(line[6:])
