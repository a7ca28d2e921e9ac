"""Counting tokens of a manuscript: with the base model's tokenizer, else words and marks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolkitError
from .bases import find_base

# Anyone can count these again without a tokenizer, and the count of two texts joined by a blank is
# the sum of theirs. English prose has 1.2 to 1.3 tokens of a model for each.
WORDS_AND_MARKS = re.compile(r"\w+|[^\w\s]")
FALLBACK = r"words and marks: regex \w+|[^\w\s]"


@dataclass(frozen=True)
class TokenCounter:
    """`count(text)` without special tokens; `name`: by what; `exact`: by a model's tokenizer."""

    name: str
    exact: bool
    count: Callable[[str], int]


def words_and_marks(text: str) -> int:
    """Words and punctuation marks of a text."""
    return len(WORDS_AND_MARKS.findall(text))


def token_counter(model: str) -> TokenCounter:
    """The counter of a model (folder, hub name or the bundled one); "" or "words": the fallback.

    The network is never asked: where the tokenizer is not on this machine, the fallback counts.
    """
    fallback = TokenCounter(FALLBACK, False, words_and_marks)
    if model in ("", "words"):
        return fallback
    try:
        file = Path(find_base(model)) / "tokenizer.json"
    except ToolkitError:
        return fallback
    if not file.is_file():
        return fallback
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return fallback
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception:  # noqa: BLE001 - tokenizers raises plain Exception for a file it cannot read
        return fallback
    # A tokenizer.json may carry the training's truncation, which would make long text look short.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return TokenCounter(
        f"{model} (tokenizer.json)",
        True,
        lambda text: len(tokenizer.encode(text, add_special_tokens=False)),
    )
