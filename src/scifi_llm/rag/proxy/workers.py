"""Searches in threads, within a time, that cannot use up the process when they hang."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
AT_ONCE = 4  # a search is computation: more at once would only slow each other down
MAX_HUNG = 8


class Workers:
    """Runs functions in daemon threads. One that outlives its time is left behind and counted.

    A call waits within its time for one of `at_once` places. With `max_hung` threads left behind
    nothing more is started, and every call fails at once until one of them ends.
    """

    def __init__(self, at_once: int = AT_ONCE, max_hung: int = MAX_HUNG) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._max_hung = max_hung
        self.hung = 0

    async def run(self, work: Callable[[], T], seconds: float) -> T:
        """The result of `work`, or its exception; TimeoutError where it takes longer."""
        if self.hung >= self._max_hung:
            raise TimeoutError(f"{self.hung} searches hang")
        async with asyncio.timeout(seconds):
            await self._places.acquire()
            result: T = await _Job(self, work, seconds).done
            return result

    def left_behind(self) -> None:
        """A job is late: its place is free for others."""
        self.hung += 1
        self._places.release()

    def ended(self, late: bool) -> None:
        """A job's thread has ended."""
        if late:
            self.hung -= 1
        else:
            self._places.release()


class _Job:
    """One thread. Its place is its own until it ends or is late, also when nobody waits for it."""

    def __init__(self, owner: Workers, work: Callable[[], Any], seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._owner, self._work, self._is_late = owner, work, False
        self.done: asyncio.Future[Any] = self._loop.create_future()
        self._timer = self._loop.call_later(seconds, self._late)
        threading.Thread(target=self._run, name="rag-search", daemon=True).start()

    def _run(self) -> None:
        result: Any = None
        failure: BaseException | None = None
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits
            failure = error
        try:
            self._loop.call_soon_threadsafe(self._settle, result, failure)
        except RuntimeError:
            return  # the loop has ended

    def _late(self) -> None:
        self._is_late = True
        self._owner.left_behind()

    def _settle(self, result: Any, failure: BaseException | None) -> None:
        self._timer.cancel()
        self._owner.ended(self._is_late)
        if self.done.done():
            return
        if failure is not None:
            self.done.set_exception(failure)
        else:
            self.done.set_result(result)
