"""A conversation as its keys: the same content is the same conversation, whoever sends it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ...openai_api import text_of
from .footer import without_footer

SYSTEM_ROLES = ("system", "developer")


def user_turns(messages: Sequence[dict[str, Any]]) -> list[int]:
    """Positions of the user's messages."""
    return [i for i, message in enumerate(messages) if message.get("role") == "user"]


def keys(messages: Sequence[dict[str, Any]], rules: str) -> list[str]:
    """For each user turn the key of the conversation up to and including it. Pure.

    Two prefixes have the same key when rules and messages are the same; how a client writes the
    same message (a text or a list of one text part, null or "", spaces at the ends, our footer)
    makes no difference.
    """
    digest = hashlib.sha256(rules.encode("utf-8", "replace")).digest()
    found = []
    for message in messages:
        line = json.dumps(_essence(message), sort_keys=True, default=str)
        digest = hashlib.sha256(digest + line.encode()).digest()
        if message.get("role") == "user":
            found.append(digest.hex())
    return found


def _essence(message: dict[str, Any]) -> list[Any]:
    calls = message.get("tool_calls")
    return [
        message.get("role"),
        _content(message.get("content"), message.get("role") == "assistant"),
        message.get("name") or None,
        [_call(call) for call in calls] if isinstance(calls, list) else [],
        message.get("tool_call_id") or None,
    ]


def _content(content: Any, answered: bool) -> Any:
    if isinstance(content, list) and not all(_is_text(part) for part in content):
        return content
    text = text_of(content) if not isinstance(content, dict) else json.dumps(content)
    text = text.replace("\r\n", "\n")
    return (without_footer(text) if answered else text).strip()


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type", "text") == "text"


def _call(call: Any) -> Any:
    if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
        return call
    function = call["function"]
    return [call.get("id"), function.get("name"), function.get("arguments")]


def history(messages: Sequence[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """(role, text) of what author and model have said, oldest first, without our footers."""
    told = []
    for message in messages:
        role, text = message.get("role"), text_of(message.get("content"))
        if role in ("user", "assistant") and text.strip():
            told.append((str(role), without_footer(text) if role == "assistant" else text))
    return tuple(told)


def footers(messages: Sequence[dict[str, Any]]) -> list[tuple[int, int | None, str]]:
    """(message, part or None, its text without the footer) of every answer that carries one."""
    found: list[tuple[int, int | None, str]] = []
    for i, message in enumerate(messages):
        if message.get("role") != "assistant":
            continue
        content = message.get("content")
        parts = [(None, content)] if isinstance(content, str) else _texts(content)
        for part, text in parts:
            if (clean := without_footer(text)) != text:
                found.append((i, part, clean))
    return found


def _texts(content: Any) -> list[tuple[int | None, str]]:
    if not isinstance(content, list):
        return []
    texts = ((i, p.get("text")) for i, p in enumerate(content) if isinstance(p, dict))
    return [(i, text) for i, text in texts if isinstance(text, str)]
