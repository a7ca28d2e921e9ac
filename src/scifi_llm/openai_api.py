"""OpenAI's chat protocol: messages, server-sent events, errors, and the HTTP client.

The only module that imports httpx. What an upstream sends is relayed as bytes and not re-made.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import ToolkitError

if TYPE_CHECKING:
    import httpx

Message = dict[str, Any]
DONE = b"data: [DONE]"
CONNECT_SECONDS = 5.0
READ_SECONDS = 1800.0  # a long prompt on a CPU takes minutes before its first token


class UpstreamError(Exception):
    """The upstream could not be asked: `status` and `message` are for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def error_body(message: str, kind: str, status: int) -> dict[str, Any]:
    """An error as OpenAI clients expect it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}


def text_of(content: Any) -> str:
    """The text of a message's content: a string, a list of parts, or null."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def last_user_index(messages: list[Message]) -> int | None:
    """Position of the newest user message, or None."""
    for i in range(len(messages) - 1, -1, -1):
        if isinstance(messages[i], dict) and messages[i].get("role") == "user":
            return i
    return None


def prepend_text(message: Message, text: str) -> Message:
    """A copy of `message` with `text` before its content, whatever form the content has."""
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [{"type": "text", "text": text}, *content]}
    return {**message, "content": f"{text}\n\n{content}" if content else text}


def sse(data: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


class BeforeDone:
    """Inserts one event before `data: [DONE]` in a stream of bytes, wherever the bytes are cut.

    At most the 12 bytes that may be the beginning of the marker are held back.
    """

    def __init__(self, event: bytes) -> None:
        self._event = event
        self._held = b"\n"  # the marker counts at the start of a line only
        self._first = True

    def feed(self, data: bytes) -> bytes:
        """Bytes to send on for the bytes that came."""
        if not self._event:
            return data
        buffer = self._held + data
        marker = b"\n" + DONE
        at = buffer.find(marker)
        if at >= 0:
            out = buffer[: at + 1] + self._event + buffer[at + 1 :]
            self._event, self._held = b"", b""
        else:
            keep = next(
                (n for n in range(len(marker) - 1, 0, -1) if buffer.endswith(marker[:n])), 0
            )
            self._held = buffer[len(buffer) - keep :]
            out = buffer[: len(buffer) - keep]
        return self._without_start(out)

    def close(self) -> bytes:
        """What is still held when the stream ends without the marker."""
        return self._without_start(self._held) if self._event else b""

    def _without_start(self, out: bytes) -> bytes:
        if self._first and out:
            self._first = False
            return out[1:]
        return out


def async_client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The client for an upstream on this machine: no environment proxy, long reads."""
    import httpx

    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        trust_env=False,
    )


class Upstream:
    """A server of OpenAI's API. `base_url` ends with /v1; `api_key` replaces the client's."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, api_key: str = "") -> None:
        self.client = client
        self.base_url = base_url.rstrip("/")
        self.api_key = api_key

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: str = ""
    ) -> httpx.Response:
        """Send a request and return its response with the body still to be read.

        The caller closes it. Raises UpstreamError where no response comes.
        """
        import httpx

        sent = dict(headers)
        if self.api_key:
            sent["authorization"] = f"Bearer {self.api_key}"
        url = f"{self.base_url}/{path}" + (f"?{query}" if query else "")
        request = self.client.build_request(method, url, headers=sent, content=body)
        try:
            return await self.client.send(request, stream=True)
        except httpx.ConnectError:
            raise UpstreamError(503, self._absent()) from None
        except httpx.ConnectTimeout:
            raise UpstreamError(
                504, f"{self.base_url} took no connection within {CONNECT_SECONDS:g} s. "
                "Its log may say why: tail run/vllm-*.log"
            ) from None  # fmt: skip
        except httpx.TimeoutException:
            raise UpstreamError(504, f"{self.base_url} did not answer in time.") from None
        except httpx.HTTPError as error:
            raise UpstreamError(
                502, f"{self.base_url} broke off the connection ({type(error).__name__}). "
                "Its log may say why: tail run/vllm-*.log"
            ) from None  # fmt: skip

    def _absent(self) -> str:
        return f"Nothing answers at {self.base_url}. Start vLLM with: ./serve_vllm.sh"

    async def served_models(self) -> list[dict[str, Any]]:
        """The entries of GET /models, or [] where they cannot be had."""
        try:
            response = await self.send("GET", "models", {}, b"")
        except UpstreamError:
            return []
        try:
            data = json.loads(await response.aread()).get("data", [])
            return [entry for entry in data if isinstance(entry, dict)]
        except (ValueError, AttributeError):
            return []
        finally:
            await response.aclose()


async def relay(response: httpx.Response, event: bytes = b"") -> AsyncIterator[bytes]:
    """The bytes of a response as they come, with `event` before the end marker; closes it.

    Where the upstream dies in mid-stream an error event ends what the client gets.
    """
    import httpx

    inserter = BeforeDone(event)
    try:
        async for data in response.aiter_raw():
            if out := inserter.feed(data):
                yield out
        if rest := inserter.close():
            yield rest
    except httpx.HTTPError as error:
        message = f"vLLM broke off the answer ({type(error).__name__}). See: tail run/vllm-*.log"
        yield b"\n\n" + sse(error_body(message, "upstream_error", 502))
    finally:
        await response.aclose()


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


def error_message(body: bytes) -> str:
    """The message of an error body, in whatever form it comes."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:300] or "The server answered with an error."
