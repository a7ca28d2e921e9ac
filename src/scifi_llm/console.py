"""Prefixed lines on the terminal, progress, and the edge that turns errors into them."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn, TypeVar

from .errors import ToolkitError

T = TypeVar("T")

INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl+C
PROGRESS_SECONDS = 5.0  # how often a line is printed where no terminal redraws it


_data_on_stdout = False


def keep_stdout_for_data() -> None:
    """Send every prefixed line to stderr from now on: this program's stdout is read by another."""
    global _data_on_stdout
    _data_on_stdout = True


def _say(text: str) -> None:
    print(text, file=sys.stderr if _data_on_stdout else sys.stdout, flush=True)


def log_test(text: str) -> None:
    """Say what is about to be tried."""
    _say(f"[TEST] {text}")


def log_ok(text: str) -> None:
    """Say what succeeded."""
    _say(f"[OK] {text}")


def log_next(text: str) -> None:
    """Name the next step, except where quickstart.sh takes it by itself."""
    if not os.environ.get("IN_QUICKSTART"):
        log_ok(f"Next: {text}")


def log_warn(text: str) -> None:
    """Say what works less well than it could."""
    print(f"[WARN] {text}", file=sys.stderr, flush=True)


def log_error(problem: str, fix: str = "") -> None:
    """Say what failed and the command that mends it."""
    print(f"[ERROR] {problem}" + (f" {fix}" if fix else ""), file=sys.stderr, flush=True)


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one [ERROR] line; its exit status stays 2."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and how to see what is right."""
        log_error(f"{message[:1].upper()}{message[1:]}.", f"See: {self.prog} --help")
        sys.exit(2)


def run_main(main: Callable[[], int | None]) -> int:
    """Run a program's main and return its exit status, without a traceback for a user's mistake.

    Bugs are not caught: they crash with their traceback.
    """
    try:
        return main() or 0
    except ToolkitError as error:
        log_error(error.problem, error.fix)
        return error.status
    except KeyboardInterrupt:
        print(file=sys.stderr)
        log_warn("Interrupted. What was finished is kept; the same command goes on from there.")
        return INTERRUPTED
    except BrokenPipeError:
        # `./4_query.py … | head` closes our stdout: not an error. Python would complain once more
        # when it flushes at exit, so the descriptor is pointed elsewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        log_error(f"{error.strerror}: {error.filename or 'writing a file'}.", _os_fix(error.errno))
        return 1


def _os_fix(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "Free some disk space (see: df -h) and run the same command again."
    return "Check the permissions of that folder (see: ls -ld FOLDER) and run it again."


def progress(items: Iterable[T], total: int, label: str, unit: str = "") -> Iterator[T]:
    """Yield `items` while a line on stderr tells count, rate and time left.

    On a terminal the line is redrawn; elsewhere one is printed every PROGRESS_SECONDS.
    """
    tty, started, shown = sys.stderr.isatty(), time.monotonic(), time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - shown < (0.2 if tty else PROGRESS_SECONDS) and done < total:
            continue
        if not tty and now - started < PROGRESS_SECONDS:
            continue
        shown = now
        rate = done / max(now - started, 1e-6)
        text = f"{label}: {done}/{total} {unit} ({rate:.1f}/s, {(total - done) / rate:.0f} s left)"
        print(f"\r\033[K{text}" if tty else f"       {text}", end="" if tty else "\n",
              file=sys.stderr, flush=True)  # fmt: skip
    if tty and total:
        print(file=sys.stderr)
