"""What an answer of the soak is worth, and what did not come back after it. Pure."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field

from .upstream import CHUNKS

ERRORS = {"502", "503", "504"}
# What may be open after the end beside what was open before the start: log, metrics connection.
SPARE_FILES = 8
SPARE_MB = 80.0  # a version of the index that has just been loaded, and chance


@dataclass
class Tally:
    """How the answers ended; `wrong` tells of those that should not have been."""

    ended: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, kind: str, problem: str = "") -> None:
        """Count one answer."""
        self.ended[kind] += 1
        if problem and len(self.wrong) < 20:
            self.wrong.append(problem)
        if problem:
            self.ended["wrong"] += 1


def dechunked(data: bytes) -> tuple[bytes, bool]:
    """(body, whether it is whole) of a chunked body. Pure."""
    body, at = b"", 0
    while (end := data.find(b"\r\n", at)) >= 0:
        try:
            size = int(data[at:end], 16)
        except ValueError:
            return body, False
        if size == 0:
            return body, True
        body += data[end + 2 : end + 2 + size]
        at = end + 2 + size + 2
    return body, False


def contents(body: bytes) -> tuple[list[str], bool, bool]:
    """(texts, error event, [DONE]) of a stream. Raises ValueError on what is no event. Pure."""
    texts: list[str] = []
    failed = done = False
    for block in body.decode().split("\n\n"):
        if not block.strip():
            continue
        if done or failed or not block.startswith("data: "):
            raise ValueError(f"after the end or no event: {block[:80]!r}")
        if block == "data: [DONE]":
            done = True
            continue
        event = json.loads(block[6:])
        failed = "error" in event
        if failed and not (event["error"]["message"] and event["error"]["code"]):
            raise ValueError("an error event without message or code")
        texts += [choice["delta"]["content"] for choice in event.get("choices", [])]
    return texts, failed, done


def judge(answer: bytes, word: str, stream: bool) -> tuple[str, str]:
    """(how it ended, what is wrong with it or "") of a whole answer. Pure."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if not head:
        return "nothing", f"{word}: no answer at all"
    status = head.split(b" ")[1].decode()
    body, whole = dechunked(rest) if b"transfer-encoding: chunked" in head else (rest, True)
    length = re.search(rb"content-length: (\d+)", head)
    if not whole or (length and len(body) != int(length[1])):
        return "torn", f"{word}: {status} with a torn body {body[-80:]!r}"
    try:
        if status in ERRORS:
            error = json.loads(body)["error"]
            return status, "" if error["message"] and str(error["code"]) == status else f"{error}"
        if status != "200":
            return status, f"{word}: {status} {body[:200]!r}"
        if not stream:
            told = json.loads(body)["choices"][0]["message"]["content"]
            return "whole", "" if told == word else f"{word}: got {told!r}"
        texts, failed, done = contents(body)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return status, f"{word}: {error!r}"
    wanted = [f"{word}.{n} " for n in range(CHUNKS)]
    right = texts == wanted[: len(texts)] and (failed or (done and len(texts) == CHUNKS))
    if failed and done:
        right = False
    return "error event" if failed else "stream", "" if right else f"{word}: {texts[-3:]} {done=}"


def leaks(before: dict[str, float], after: dict[str, float]) -> list[str]:
    """What did not come back. Pure."""
    found = []
    if after["active_requests"] > 1:  # the one that asks
        found.append(f"{after['active_requests'] - 1:.0f} requests are still active")
    if after["active_streams"]:
        found.append(f"{after['active_streams']:.0f} streams are still active")
    if after["memory_mb"] > before["memory_mb"] + SPARE_MB:
        found.append(f"memory: {before['memory_mb']:.0f} MB, then {after['memory_mb']:.0f}")
    if after["open_files"] > before["open_files"] + SPARE_FILES:
        found.append(f"open files: {before['open_files']:.0f}, then {after['open_files']:.0f}")
    return found
