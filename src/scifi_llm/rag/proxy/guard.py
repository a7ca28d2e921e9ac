"""Whom the proxy answers and how much it takes: limits and names from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from ...errors import ToolkitError
from ...settings import number

MIB = 1024 * 1024


def _names(name: str) -> tuple[str, ...]:
    return tuple(
        part.strip().rstrip("/") for part in os.environ.get(name, "").split(",") if part.strip()
    )


def _body_bytes() -> int:
    return int(number("RAG_MAX_BODY_MB", 0.001, 4096) * MIB)


@dataclass(frozen=True)
class Guard:
    """Limits of one proxy; seconds and bytes.

    `hosts` and `origins` are allowed beside those of this machine; an origin of "*" allows all.
    `log_text` lets the log hold what is asked.
    """

    hosts: tuple[str, ...] = field(default_factory=lambda: _names("RAG_ALLOWED_HOSTS"))
    origins: tuple[str, ...] = field(default_factory=lambda: _names("RAG_ALLOWED_ORIGINS"))
    max_body: int = field(default_factory=_body_bytes)
    # A request's head, and then its body, must be there within these times (slow-loris).
    head_seconds: float = field(default_factory=lambda: number("RAG_HEAD_SECONDS", 0.1, 3600))
    body_seconds: float = field(default_factory=lambda: number("RAG_BODY_SECONDS", 0.1, 3600))
    # Who reads nothing for so long has the answer ended: it holds a place in the upstream.
    stall_seconds: float = field(default_factory=lambda: number("RAG_STALL_SECONDS", 1, 86400))
    # How long running answers may go on after SIGTERM.
    drain_seconds: float = field(default_factory=lambda: number("RAG_DRAIN_SECONDS", 0, 3600))
    log_text: bool = False

    def check(self) -> None:
        """Raise ToolkitError where an origin is none."""
        for origin in self.origins:
            if origin != "*" and "://" not in origin:
                raise ToolkitError(
                    f"RAG_ALLOWED_ORIGINS={origin} is no origin.",
                    "Write it as the browser does: http://localhost:3000",
                )
