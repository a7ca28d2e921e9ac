"""Searches in threads: their results, their time, and what happens when they hang."""

from __future__ import annotations

import asyncio
import threading

import pytest

from scifi_llm.rag.proxy.workers import Workers


async def test_results_and_exceptions_come_through() -> None:
    workers = Workers()
    assert await workers.run(lambda: 7, 5) == 7
    with pytest.raises(KeyError, match="x"):
        await workers.run(lambda: {}["x"], 5)


async def test_hung_searches_leave_room_then_fail_at_once() -> None:
    workers, release = Workers(at_once=1, max_hung=3), threading.Event()
    for hung in (1, 2, 3):
        with pytest.raises(TimeoutError):
            await workers.run(release.wait, 0.02)
        assert workers.hung == hung
    with pytest.raises(TimeoutError, match="3 searches hang"):
        await workers.run(lambda: 7, 1000)
    release.set()
    while workers.hung:
        await asyncio.sleep(0.001)
    assert await workers.run(lambda: 7, 5) == 7


async def test_no_more_run_at_once_than_allowed() -> None:
    workers, lock = Workers(at_once=2), threading.Lock()
    running, most = 0, 0
    both = threading.Barrier(2)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1

    await asyncio.gather(*(workers.run(work, 20) for _ in range(8)))
    assert most == 2


async def test_a_client_that_goes_away_keeps_no_place() -> None:
    workers, release = Workers(at_once=1), threading.Event()
    task = asyncio.create_task(workers.run(release.wait, 20))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert await workers.run(lambda: 7, 20) == 7
    assert workers.hung == 0
