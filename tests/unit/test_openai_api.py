"""Messages, the marker at a stream's end, and errors."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.errors import ToolkitError
from scifi_llm.openai_api import (
    BeforeDone,
    error_message,
    last_user_index,
    prepend_text,
    served_model,
    sse,
    text_of,
)


def part(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


STREAM = 'data: {"a": "data: [DONE]"}\n\ndata: {"b": "ü"}\n\ndata: [DONE]\n\n'.encode()


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_event_stands_before_the_marker_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(STREAM)]
    inserter = BeforeDone(b"data: {}\n\n")
    pieces = [inserter.feed(STREAM[a:b]) for a, b in pairwise(bounds)]
    whole = b"".join(pieces) + inserter.close()
    assert whole == STREAM.replace(b"\ndata: [DONE]\n", b"\ndata: {}\n\ndata: [DONE]\n")


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_stream_without_marker_passes_unchanged(parts: list[bytes]) -> None:
    inserter = BeforeDone(b"X")
    whole = b"".join(parts)
    out = b"".join(inserter.feed(part) for part in parts) + inserter.close()
    assert out == whole or b"data: [DONE]" in whole


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_without_an_event_nothing_is_added(parts: list[bytes]) -> None:
    inserter = BeforeDone(b"")
    assert b"".join(inserter.feed(part) for part in parts) + inserter.close() == b"".join(parts)


def test_a_stream_that_is_only_the_marker() -> None:
    assert BeforeDone(b"X\n").feed(b"data: [DONE]\n\n") == b"X\ndata: [DONE]\n\n"


def test_what_arrived_is_sent_on_at_once() -> None:
    inserter = BeforeDone(b"X")
    assert inserter.feed(b"data: first\n") == b"data: first"
    assert inserter.feed(b"\n") == b"\n"


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


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("Q", "L\n\nQ"),
        (None, "L"),
        ("", "L"),
        ([part("Q")], [part("L"), part("Q")]),
    ],
)
def test_text_is_put_before_any_content_and_the_rest_is_kept(content: Any, told: Any) -> None:
    message = {"role": "user", "content": content, "name": "author"}
    assert prepend_text(message, "L") == {"role": "user", "content": told, "name": "author"}
    assert message["content"] == content


def test_sse_and_error_messages() -> None:
    assert sse({"a": "ü"}) == 'data: {"a": "ü"}\n\n'.encode()
    assert error_message(json.dumps({"error": {"message": "No."}}).encode()) == "No."
    assert error_message(b'{"error": "Plain."}') == "Plain."
    assert error_message(b"<html>") == "<html>"
    assert error_message(b"") == "The server answered with an error."


class Stranger(BaseHTTPRequestHandler):
    """A program on the port that is no model server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: Any) -> None:
        pass


def test_what_is_no_model_server_is_an_error_with_its_fix(free_port: int) -> None:
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(ToolkitError, match="No model is served at"):
            served_model(f"http://127.0.0.1:{server.server_port}/v1")
        thread.join()
    with pytest.raises(ToolkitError, match="Nothing answers at"):
        served_model(f"http://127.0.0.1:{free_port}/v1")
