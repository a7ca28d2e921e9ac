"""The marker at a stream's end, wherever the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.openai_api import BeforeDone, sse

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
    assert inserter.feed(b"data: first\n") == b"data: first\n"
    assert inserter.feed(b"\n") == b"\n"  # the event's last byte: with it a reader has it whole
    assert inserter.feed(b"data: [D") == b""
    assert inserter.feed(b"ate]\n\n") == b"data: [Date]\n\n"


def test_the_marker_inside_a_line_is_none() -> None:
    inserter = BeforeDone(b"X")
    assert inserter.feed(b"x") == b"x"
    assert inserter.feed(b"data: [DONE]") == b"data: [DONE]"


def test_an_event_is_one_line_of_json() -> None:
    assert sse({"a": "ü"}) == 'data: {"a": "ü"}\n\n'.encode()
