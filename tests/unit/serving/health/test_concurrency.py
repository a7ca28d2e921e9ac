"""The proof of concurrency, against servers that work on all, some or one request at a time."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.serving.health.concurrency import main, overlap, spans_of
from scifi_llm.serving.health.probe import Stream


def lines(count: int) -> str:
    form = "[OK] Request {}: first token at T s, last at T s, 8 chunks\n"
    return "".join(form.format(place) for place in range(1, count + 1)) + (
        f"[OK] All took T s; the times of the {count} add up to T s\n"
    )


def tries(url: str, count: int, most: int) -> str:
    return "".join(
        f"[TEST] {count} requests of {tokens} tokens at the same time to {url}\n"
        f"[TEST] {most} of {count} overlapped within T s\n"
        for tokens in (48, 192)
    )


def more(url: str, seqs: int) -> str:
    port = url.split(":")[2].split("/")[0]
    return (
        "Its limit is MAX_SEQS, the third argument: "
        f"./stop_vllm.sh {port} && ./serve_vllm.sh tiny {port} {seqs}\n"
    )


def test_all_overlap(fake: Any, run: Any) -> None:
    fake.pause = threading.Barrier(4)
    assert run(main, "--base-url", fake.url) == (
        0,
        f"[TEST] 4 requests of 48 tokens at the same time to {fake.url}\n"
        + lines(4)
        + "[OK] At one moment all 4 were between their first and last token\n"
        "[OK] Next: vllm/health_checks/11_tool_call_test.py\n",
        "",
    )
    assert len({body["messages"][0]["content"] for body in fake.sent}) == 4


def test_two_at_a_time(fake: Any, run: Any) -> None:
    fake.pause, fake.slots = threading.Barrier(2), threading.Semaphore(2)
    assert run(main, "--base-url", fake.url, "--requests", "10") == (
        0,
        tries(fake.url, 10, 2) + lines(10) + "[OK] Next: vllm/health_checks/11_tool_call_test.py\n",
        "[WARN] Only 2 of 10 ran at the same time; the others waited. " + more(fake.url, 10),
    )


def test_one_at_a_time(fake: Any, run: Any) -> None:
    fake.slots = threading.Semaphore(1)
    assert run(main, "--base-url", fake.url, "--requests", "3") == (
        1,
        tries(fake.url, 3, 1) + lines(3),
        "[ERROR] No two requests overlapped: the server works on one at a time. "
        + more(fake.url, 9),
    )


def test_a_stream_that_breaks_off(fake: Any, run: Any) -> None:
    fake.stream_line = b'data: {"error": {"message": "out of memory"}}\n\n'
    status, _, err = run(main, "--base-url", fake.url)
    assert (status, err) == (
        1,
        "[ERROR] The stream broke off: out of memory Read the logs: tail run/*.log\n",
    )


@pytest.mark.parametrize("words", [("--requests", "1"), ("--requests", "65"), ("--requests", "x")])
def test_wrong_arguments(run: Any, words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(main, *words)


@pytest.mark.parametrize(
    ("spans", "most"),
    [
        ([(0, 1), (2, 3)], 1),
        ([(0, 1), (1, 2)], 1),
        ([(0, 3), (1, 2), (2.5, 4)], 2),
        ([(0, 5), (1, 6), (2, 7)], 3),
        ([(1, 1), (1, 1)], 0),
        ([], 0),
    ],
)
def test_overlap(spans: list[tuple[float, float]], most: int) -> None:
    assert overlap(spans) == most


def test_the_ends_of_a_request_do_not_count() -> None:
    late_reading = [Stream(0.0, [1.0, 3.0, 5.1]), Stream(0.0, [5.0, 7.0, 9.0])]
    assert overlap(spans_of(late_reading)) == 1
    together = [Stream(0.0, [1.0, 3.0, 5.0]), Stream(0.0, [2.0, 4.0, 6.0])]
    assert overlap(spans_of(together)) == 2
    in_one_piece = [Stream(0.0, [1.0, 1.0]), Stream(0.0, [1.0])]
    assert overlap(spans_of(in_one_piece)) == 0


def test_no_text() -> None:
    with pytest.raises(ToolkitError, match="A request was answered with no text"):
        spans_of([Stream(0.0)])
