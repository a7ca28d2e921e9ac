"""The judge of the soak: what is right, what is an honest error, what is wrong."""

from __future__ import annotations

import json

import pytest

from scifi_llm.rag.bench.judge import contents, dechunked, judge, leaks
from scifi_llm.rag.bench.upstream import CHUNKS, completion, event, framed

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END, DONE = b"0\r\n\r\n", framed(b"data: [DONE]\n\n")
EVENTS = [framed(event("w1", n)) for n in range(CHUNKS)]
SOURCES = framed(b'data: {"choices": [], "rag": {"sources": []}}\n\n')
BROKEN = framed(b'\n\ndata: {"error": {"message": "Gone.", "code": 502}}\n\n')


def whole(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


def error(status: int) -> bytes:
    return json.dumps({"error": {"message": "Nobody there.", "code": status}}).encode()


@pytest.mark.parametrize(
    ("answer", "stream", "ended"),
    [
        (HEAD + b"".join(EVENTS) + SOURCES + DONE + END, True, "stream"),
        (HEAD + b"".join(EVENTS[:4]) + BROKEN + END, True, "error event"),
        (whole(completion("w1")), False, "whole"),
        (whole(error(503), b"503 Service Unavailable"), True, "503"),
    ],
)
def test_right_answers_and_honest_errors(answer: bytes, stream: bool, ended: str) -> None:
    assert judge(answer, "w1", stream) == (ended, "")


@pytest.mark.parametrize(
    ("answer", "stream"),
    [
        (b"", True),
        (HEAD + b"".join(EVENTS) + DONE, True),  # the framing has no end
        (HEAD + b"".join(EVENTS[:-1]) + DONE + END, True),  # a chunk is missing
        (HEAD + b"".join(EVENTS[:4]) + END, True),  # neither [DONE] nor an error
        (HEAD + b"".join(EVENTS[:4]) + BROKEN + DONE + END, True),
        (HEAD + b"".join([*EVENTS[:3], framed(event("w2", 3)), *EVENTS[4:]]) + DONE + END, True),
        (HEAD + b"".join([EVENTS[1], EVENTS[0], *EVENTS[2:]]) + DONE + END, True),
        (whole(completion("w2")), False),
        (whole(b"Internal Server Error", b"500 Internal Server Error"), False),
        (whole(b"<html>", b"502 Bad Gateway"), False),
        (whole(completion("w1"))[:-3], False),
    ],
)
def test_wrong_answers(answer: bytes, stream: bool) -> None:
    assert judge(answer, "w1", stream)[1]


def test_chunked_bodies() -> None:
    assert dechunked(framed(b"ab") + framed(b"c") + END) == (b"abc", True)
    assert dechunked(framed(b"ab") + b"zz\r\n") == (b"ab", False)
    assert dechunked(b"") == (b"", False)
    with pytest.raises(ValueError, match="after the end"):
        contents(b"data: [DONE]\n\ndata: {}\n\n")


def test_leaks() -> None:
    quiet = {"active_requests": 1.0, "active_streams": 0.0, "open_files": 20.0, "memory_mb": 300.0}
    assert leaks(quiet, quiet) == []
    busy = {"active_requests": 3.0, "active_streams": 2.0, "open_files": 90.0, "memory_mb": 381.0}
    assert leaks(quiet, busy) == [
        "2 requests are still active",
        "2 streams are still active",
        "memory: 300 MB, then 381",
        "open files: 20, then 90",
    ]
