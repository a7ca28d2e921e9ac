"""What a measurement of the proxy was taken on."""

from __future__ import annotations

from typing import Any

from ... import machine
from .processes import LITELLM

PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "httpx", "prometheus-client")


def about(peer: str = "") -> dict[str, Any]:
    """Machine, commit, time and versions; the peer's version where one is measured."""
    found = machine.record(PACKAGES)
    if peer == "litellm":
        found["versions"]["litellm"] = LITELLM
    return found
