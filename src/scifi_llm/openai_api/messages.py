"""Messages and errors of OpenAI's chat protocol, as plain values."""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, Any]


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


def error_message(body: bytes) -> str:
    """The message of an error body, in whatever form it comes."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace")[:300] or "The server answered with an error."
