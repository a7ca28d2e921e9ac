"""Planted secrets: sentences of which the author knows that they are in the training data."""

from __future__ import annotations

from pathlib import Path

from .forms import Record


def canary_records(data: Path) -> list[Record]:
    """The planted canaries, each as often as it is to be repeated; [] where none are planted."""
    return []
