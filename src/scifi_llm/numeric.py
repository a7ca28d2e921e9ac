"""Numbers that a user typed, checked."""

from __future__ import annotations


def whole(text: str, low: int, high: int | None = None) -> int:
    """A whole number from `low` to `high`. Raises ValueError that says what it must be."""
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= (high or int(text)):
        kind = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"whole number {kind}")
    return int(text)


def share(text: str, low: float, high: float) -> float:
    """A number from `low` to `high`. Raises ValueError that says what it must be."""
    try:
        value = float(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise ValueError(f"share from {low} to {high}")
    return value
