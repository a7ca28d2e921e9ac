"""OpenAI's chat protocol: messages, server-sent events, errors, and the HTTP clients.

The only folder that imports httpx. What an upstream sends is relayed as bytes and not re-made.
"""

from __future__ import annotations

from .client import fetch, served_model, stream_chat, sync_client
from .messages import (
    Message,
    error_body,
    error_message,
    last_user_index,
    text_of,
)
from .sse import DONE, BeforeDone, WholeEvents, sse
from .upstream import (
    CONNECT_SECONDS,
    READ_SECONDS,
    Upstream,
    UpstreamError,
    async_client,
    read_whole,
    relay,
)

__all__ = [
    "CONNECT_SECONDS",
    "DONE",
    "READ_SECONDS",
    "BeforeDone",
    "Message",
    "Upstream",
    "UpstreamError",
    "WholeEvents",
    "async_client",
    "error_body",
    "error_message",
    "fetch",
    "last_user_index",
    "read_whole",
    "relay",
    "served_model",
    "sse",
    "stream_chat",
    "sync_client",
    "text_of",
]
