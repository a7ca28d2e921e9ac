"""The upstream server: asked with httpx, relayed as bytes, each of its failures with a sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .messages import error_body
from .sse import BeforeDone, WholeEvents, sse

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0
MODELS_SECONDS = 5.0  # a list that costs nothing: later it is no answer
READ_SECONDS = 1800.0  # a long prompt on a CPU takes minutes before its first token


class UpstreamError(Exception):
    """The upstream could not be asked: `status` and `message` are for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


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
    """A server of OpenAI's API. `base_url` ends with /v1; `api_key` replaces the client's.

    `observe` is told the seconds until an answer's headers came, `failed` the status that the
    client gets where none came.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        api_key: str = "",
        observe: Callable[[float], None] = lambda _: None,
        failed: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.client = client
        self.base_url = base_url.rstrip("/")
        self.api_key = api_key
        self.observe = observe
        self.failed = failed

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: str = ""
    ) -> httpx.Response:
        """Send a request and return its response with the body still to be read.

        The caller closes it. Raises UpstreamError where no response comes.
        """
        started = perf_counter()
        try:
            response = await self._send(method, path, headers, body, query)
        except UpstreamError as error:
            self.failed(error.status)
            raise
        self.observe(perf_counter() - started)
        if response.status_code == 200 and "text/html" in response.headers.get("content-type", ""):
            await response.aclose()
            self.failed(502)
            raise UpstreamError(
                502, f"{self.base_url} answered with a web page: no model server is there. "
                "Name its address with: ./serve_rag_proxy.sh --upstream URL"
            )  # fmt: skip
        return response

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: str
    ) -> httpx.Response:
        import httpx

        sent = dict(headers)
        if self.api_key:
            sent["authorization"] = f"Bearer {self.api_key}"
        url = f"{self.base_url}/{path}" + (f"?{query}" if query else "")
        try:
            request = self.client.build_request(method, parsed(url), headers=sent, content=body)
            return await self.client.send(request, stream=True)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise UpstreamError(400, "The path cannot be sent on.") from None
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
                502, broken_off(f"{self.base_url} broke off the connection", error)
            ) from None

    def _absent(self) -> str:
        return f"Nothing answers at {self.base_url}. Start vLLM with: ./serve_vllm.sh"

    async def served_models(self) -> list[dict[str, Any]]:
        """The entries of GET /models, or [] where they cannot be had."""
        try:
            async with asyncio.timeout(MODELS_SECONDS):
                content = await self._models()
            data = json.loads(content).get("data", [])
            return [entry for entry in data if isinstance(entry, dict)]
        except (ValueError, AttributeError, TypeError, RecursionError, OSError, UpstreamError):
            return []

    async def _models(self) -> bytes:
        response = await self.send("GET", "models", {}, b"")
        try:
            return await read_whole(response)
        finally:
            await response.aclose()


@lru_cache(maxsize=64)
def parsed(url: str) -> httpx.URL:
    """The same few addresses are asked again and again, and parsing one takes 0.1 ms."""
    import httpx

    return httpx.URL(url)


def broken_off(what: str, error: Exception) -> str:
    """What the client is told where an answer broke off."""
    return f"{what} ({type(error).__name__}). Its log may say why: tail run/vllm-*.log"


async def read_whole(response: httpx.Response) -> bytes:
    """The body of a response. Raises UpstreamError where it breaks off; the caller closes it."""
    import httpx

    try:
        return await response.aread()
    except httpx.HTTPError as error:
        raise UpstreamError(502, broken_off("vLLM broke off the answer", error)) from None


async def relay(response: httpx.Response, event: bytes = b"") -> AsyncIterator[bytes]:
    """The bytes of a response as they come, with `event` before the end marker; closes it.

    Events go as soon as they are whole: where the upstream dies in mid-stream none is left half,
    and an error event ends what the client gets. Of what is no stream of events, the broken rest is
    an UpstreamError: no client may take it for whole.
    """
    import httpx

    whole = WholeEvents() if has_events(response) else None
    inserter = BeforeDone(event)
    try:
        async for data in response.aiter_raw():
            ready = whole.feed(data) if whole else data
            if ready and (out := inserter.feed(ready)):
                yield out
        if rest := (inserter.feed(whole.close()) if whole else b"") + inserter.close():
            yield rest
    except httpx.HTTPError as error:
        message = broken_off("vLLM broke off the answer", error)
        if whole is None:
            raise UpstreamError(502, message) from None
        begun = b"\n\n" if whole.torn else b""
        yield begun + sse(error_body(message, "upstream_error", 502))
    finally:
        await response.aclose()


def has_events(response: httpx.Response) -> bool:
    """Is its body a stream of events that can be read as it is?"""
    headers = response.headers
    plain = headers.get("content-encoding", "identity") == "identity"
    return plain and "text/event-stream" in headers.get("content-type", "")
