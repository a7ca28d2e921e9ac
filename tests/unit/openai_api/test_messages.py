"""Messages in whatever form clients send them, and errors in whatever form they come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scifi_llm.openai_api import error_message, last_user_index, text_of


def part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        (None, ""),
        ([part("a"), {"type": "image_url"}, part("b")], "a\nb"),
        ([], ""),
        (7, ""),
    ],
)
def test_text_of_any_content(content: Any, text: str) -> None:
    assert text_of(content) == text


def test_newest_user_message() -> None:
    roles = ["system", "user", "assistant", "user", "tool"]
    assert last_user_index([{"role": role} for role in roles]) == 3
    assert last_user_index([{"role": "system"}]) is None


def test_error_messages() -> None:
    assert error_message(json.dumps({"error": {"message": "No."}}).encode()) == "No."
    assert error_message(b'{"error": "Plain."}') == "Plain."
    assert error_message(b"<html>") == "<html>"
    assert error_message(b"") == "The server answered with an error."
