"""Memory, steps and hours before anything is loaded."""

from __future__ import annotations

from typing import Any

from .config import Config


def report_forecast(config: Config, ledger: dict[str, Any]) -> None:
    """Say what the run will take."""
