"""Counting tokens of a manuscript: with the base model's tokenizer, else words and marks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolkitError
from ..tokens import counter_of
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
        count = counter_of(Path(find_base(model)))
    except ToolkitError:
        return fallback
    return TokenCounter(f"{model} (tokenizer.json)", True, count) if count else fallback
