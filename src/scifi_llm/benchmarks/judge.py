"""An optional judge: another model says which of two texts is the better fiction.

What it is worth: the best untrained judge agreed with people in 73 % of 2,480 pairs of stories
(Fein et al. 2025, LitBench, arXiv:2507.00769); on chat strong judges reach over 80 %, as people do
with each other (Zheng et al. 2023, MT-Bench, arXiv:2306.05685). Judges prefer what stands first and
what is longer: every pair is asked in both orders, and a verdict that turns with it is a tie.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

AGREEMENT = {
    "source": "Fein et al. 2025, LitBench, arXiv:2507.00769: best untrained judge on story pairs",
    "agreement_with_people": 0.73,
}
INSTRUCTION = (
    "You compare two pieces of science fiction that were written for the same task. Judge prose, "
    "character, originality and how far the task was met; length is no merit. Answer with one "
    "letter alone: A or B.\n\nTask: {task}\n\nA:\n{a}\n\nB:\n{b}\n\nThe better one is:"
)
Verdict = Literal["first", "second", "tie", "unclear"]


def prompt(task: str, a: str, b: str) -> list[dict[str, str]]:
    """The chat that asks for one verdict."""
    return [{"role": "user", "content": INSTRUCTION.format(task=task, a=a, b=b)}]


def letter(answer: str) -> str:
    """A or B where the answer names one of them alone, else ""."""
    found = set(re.findall(r"\b([AB])\b", answer))
    return found.pop() if len(found) == 1 else ""


def verdict(
    task: str, first: str, second: str, answer: Callable[[list[dict[str, str]]], str]
) -> Verdict:
    """Who wins, asked in both orders: a tie where the two answers do not name the same text,
    unclear where one of them names none."""
    one = letter(answer(prompt(task, first, second)))
    two = letter(answer(prompt(task, second, first)))
    if not one or not two:
        return "unclear"
    return "tie" if one == two else "first" if one == "A" else "second"


def tally(verdicts: list[Verdict]) -> dict[str, Any]:
    """Wins, ties, answers without a verdict, and the share that did not turn with the order."""
    steady = sum(v in ("first", "second") for v in verdicts)
    return {
        "pairs": len(verdicts),
        "won": verdicts.count("first"),
        "lost": verdicts.count("second"),
        "tied_or_turned": verdicts.count("tie"),
        "unclear": verdicts.count("unclear"),
        "steady": round(steady / len(verdicts), 3) if verdicts else None,
        **AGREEMENT,
    }
