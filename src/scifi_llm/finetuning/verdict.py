"""From the numbers to one line with its uncertainty. Pure."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

RESAMPLES = 2000
CONFIDENCE = 0.95
# A run of so many words beyond what the author repeats in held-out chapters is a copy.
COPIED_RUN = 20
N_BEYOND = 8  # words more than the longest run that held-out chapters share with the training text


@dataclass(frozen=True)
class Loss:
    """Sum of the losses of `tokens` tokens of one piece of text, in nats, before and after."""

    before: float
    after: float
    tokens: int


@dataclass(frozen=True)
class Change:
    """Relative change of perplexity: -0.12 is 12 % lower; `low` and `high` bound it."""

    before: float
    after: float
    value: float
    low: float
    high: float


def perplexity(losses: Sequence[Loss], after: bool) -> float:
    """exp of the mean loss of a token."""
    total = math.fsum(loss.after if after else loss.before for loss in losses)
    return math.exp(total / sum(loss.tokens for loss in losses))


def _log_ratio(losses: Sequence[Loss]) -> float:
    return math.fsum(x.after - x.before for x in losses) / sum(x.tokens for x in losses)


def bootstrap(losses: Sequence[Loss], seed: int = 0) -> list[float]:
    """Log ratios of perplexity (after / before), sorted, over pieces drawn with replacement."""
    pick = random.Random(seed)
    return sorted(_log_ratio(pick.choices(losses, k=len(losses))) for _ in range(RESAMPLES))


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """The middle CONFIDENCE of sorted values."""
    cut = (1 - CONFIDENCE) / 2
    return values[int(cut * len(values))], values[
        min(len(values) - 1, int((1 - cut) * len(values)))
    ]


def change(losses: Sequence[Loss]) -> Change:
    """How perplexity changed, with its bounds by bootstrap over the pieces."""
    low, high = bounds(bootstrap(losses))
    return Change(
        perplexity(losses, after=False),
        perplexity(losses, after=True),
        math.expm1(_log_ratio(losses)),
        math.expm1(low),
        math.expm1(high),
    )


def beyond_other(author: Sequence[Loss], other: Sequence[Loss]) -> tuple[float, float]:
    """Bounds of (author's change - the other's), as a difference of log ratios; below 0: the
    author's text gained more."""
    ours, theirs = bootstrap(author, 1), bootstrap(other, 2)
    pick = random.Random(3)
    return bounds(sorted(pick.choice(ours) - pick.choice(theirs) for _ in range(RESAMPLES)))


def verdict(numbers: dict[str, Any]) -> str:
    """One line: was the style learned, and was the text memorised?"""
    author, other = numbers["perplexity"]["author"], numbers["perplexity"]["other"]
    high = numbers["perplexity"]["author_beyond_other"][1]
    if author["high"] < 0 and high < 0:
        learned = "It learned this author"
    elif author["high"] < 0:
        learned = "It learned, but not this author more than any prose"
    elif author["low"] > 0:
        learned = "It got worse at this author"
    else:
        learned = "No learning shown"
    text = (
        f"{learned}: held-out perplexity {author['before']:.1f} to {author['after']:.1f} "
        f"({author['value']:+.1%}, 95 % between {author['low']:+.1%} and {author['high']:+.1%}), "
        f"another author {other['value']:+.1%}"
    )
    return f"{text}; {_style(numbers['delta'])}; {_memory(numbers['memorisation'])}."


def _style(delta: dict[str, Any]) -> str:
    before, after, (low, high) = delta["before"], delta["after"], delta["moved"]
    own = f"the author's own 2,000 words {delta['own_low']:.2f} to {delta['own_high']:.2f}"
    if after <= delta["own_high"]:
        place = "inside the author's own spread"
        if before <= delta["own_high"]:
            place += ", nearer than before" if high < 0 else ", as before training"
    else:
        place = "nearer to the author" if high < 0 else "not surely nearer to the author"
    doubt = "" if delta["reliable"] else ", too few words to rely on"
    change = f"change {low:+.2f} to {high:+.2f}"
    return f"samples {place} (Delta {before:.2f} to {after:.2f}, {change}; {own}{doubt})"


def _memory(memorisation: dict[str, Any]) -> str:
    canaries = memorisation["canaries"]
    found = [entry for entry in canaries if entry["found"]]
    run, natural = memorisation["longest_run"]["after"], memorisation["longest_run"]["held_out"]
    parts = []
    if found:
        planted = sum(entry["repeats"] > 0 for entry in canaries)
        parts.append(f"{len(found)} secrets found of {planted} planted")
    if run >= max(COPIED_RUN, natural + N_BEYOND):
        parts.append(f"{run} words copied in a run")
    return "memorised: " + ", ".join(parts) if parts else "no memorisation found"
