"""The marker at a stream's end, wherever the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.openai_api import BeforeDone, WholeEvents, sse
from scifi_llm.openai_api.sse import MAX_EVENT

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


@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"data: x", b"\r", b"y"]), max_size=30), st.data())
def test_events_pass_whole_wherever_the_stream_is_cut(
    parts: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    whole, out = WholeEvents(), b""
    for a, b in pairwise([0, *sorted(cuts), len(stream)]):
        out += whole.feed(stream[a:b])
        assert stream.startswith(out)
        assert not out or out.endswith((b"\n\n", b"\n\r\n", b"\r\r"))
        assert not whole.torn
    assert out + whole.close() == stream


def test_a_complete_event_is_never_held_back() -> None:
    whole = WholeEvents()
    assert whole.feed(b"data: 1\n\n") == b"data: 1\n\n"
    assert whole.feed(b"data: 2\r\n\r") == b""
    assert whole.feed(b"\ndata: 3\n\nda") == b"data: 2\r\n\r\ndata: 3\n\n"
    assert whole.feed(b"ta: 4\n") == b""
    assert whole.feed(b"\n") == b"data: 4\n\n"
    assert whole.close() == b""


def test_what_has_no_end_is_not_kept_for_ever() -> None:
    whole, piece = WholeEvents(), b"x" * 65536
    sent = sum(len(whole.feed(piece)) for _ in range(2 * MAX_EVENT // len(piece)))
    assert sent > MAX_EVENT
    assert whole.torn
    assert whole.feed(b"\n\ndata") == b"\n\n"
    assert not whole.torn
