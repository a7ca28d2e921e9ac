"""The proxy's log on stderr: prefixed lines, or one JSON object a line; no texts and no keys."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from typing import Any

from ...errors import ToolkitError

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
# [TEST] and [OK] tell of steps; what a server notes in passing has its level's name.
PREFIX = {"WARNING": "WARN", "CRITICAL": "ERROR"}
access = logging.getLogger("scifi_llm.proxy.access")


class TextFormat(logging.Formatter):
    """`[WARN] 2026-11-23 12:00:00 [request id] message key=value`."""

    default_msec_format = ""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback of a bug."""
        fields = "".join(f" {key}={value}" for key, value in _fields(record).items())
        request = f" [{_id(record)}]" if _id(record) else ""
        prefix = PREFIX.get(record.levelname, record.levelname)
        line = f"[{prefix}] {self.formatTime(record)}{request} {printable(record.getMessage())}"
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return line + printable(fields) + trace


class JsonFormat(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        entry: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if _id(record):
            entry["request_id"] = _id(record)
        entry |= _fields(record)
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def printable(text: str) -> str:
    """Text on one line: what a client sends must not look like lines of ours."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    found = getattr(record, "fields", {})
    return found if isinstance(found, dict) else {}


def _id(record: logging.LogRecord) -> str:
    return str(getattr(record, "request_id", ""))


def _add_id(record: logging.LogRecord) -> bool:
    record.request_id = REQUEST_ID.get()
    return True


def _wanted(record: logging.LogRecord) -> bool:
    # The gate ends a connection this way where an answer cannot be completed; it has its own line.
    return "ASGI callable returned without" not in str(record.msg)


def set_up(level: str = "warning", form: str = "text") -> None:
    """Send the log to stderr. Raises ToolkitError where level or form are none of ours."""
    if level not in LEVELS:
        raise ToolkitError(f"--log-level {level} is none.", f"Use one of {', '.join(LEVELS)}.")
    if form not in FORMATS:
        raise ToolkitError(f"--log-format {form} is none.", f"Use one of {', '.join(FORMATS)}.")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormat() if form == "json" else TextFormat())
    handler.addFilter(_add_id)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("scifi_llm").setLevel(level.upper())
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.setLevel(level.upper())
    uvicorn.addFilter(_wanted)
