"""Counting tokens as a model does, with the tokenizer.json of its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def counter_of(folder: Path) -> Callable[[str], int] | None:
    """Counts a text's tokens without special ones; None where no tokenizer can be read there."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return None
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return None
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001 - tokenizers raises plain Exception for a file it cannot read
        return None
    # A tokenizer.json may carry the training's truncation, which would make long text look short.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))
