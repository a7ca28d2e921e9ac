"""Another model's verdicts on the texts of two results: `3_creative_quality.py --judge`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..console import log_ok, log_test
from ..errors import ToolkitError
from ..openai_api.server import http_url
from . import judge, results
from .target import Target, ask, connect
from .tones import TESTS

PROGRAM = "3_creative_quality.py"
TOKENS = 5  # a letter, and what some models put before it


def judged(
    items: Sequence[dict[str, Any]],
    others: Sequence[dict[str, Any]],
    answer: Callable[[list[dict[str, str]]], str],
) -> dict[str, Any]:
    """The judge's verdicts on texts of the same tone, test and seed of two results."""
    by_key = {item["key"]: item for item in others if item["text"].strip()}
    pairs = [(i, by_key[i["key"]]) for i in items if i["key"] in by_key and i["text"].strip()]
    verdicts = [judge.verdict(TESTS[a["test"]], a["text"], b["text"], answer) for a, b in pairs]
    return judge.tally(verdicts)


def finished(file: Path) -> results.Run:
    """A finished result as a run whose summary can be added to.

    Raises ToolkitError where the file is none of this benchmark.
    """
    data = results.load(file)
    if not data or data["benchmark"] != "creative" or not data["complete"]:
        raise ToolkitError(
            f"{file} holds no result of this benchmark.", f"Make one with: {PROGRAM} --quick"
        )
    return results.Run(file, {k: v for k, v in data.items() if k != "items"}, data["items"])


def opponent(place: Path, model: str, named: str | None) -> tuple[Path, list[dict[str, Any]]]:
    """The result to be judged against: the one named, else the newest of another model."""
    files = [Path(named)] if named else sorted(place.glob("creative_*.json"), reverse=True)
    for file in files:
        data = results.load(file)
        if data and data["benchmark"] == "creative" and (named or data["model"] != model):
            return file, data["items"]
    raise ToolkitError(
        f"{named or place} holds no result of another model to judge against.",
        f"Run {PROGRAM} with another model first, or name a result: --against FILE",
    )


def referee_of(named: Sequence[str]) -> Target:
    """The judge: its address and model. Raises ToolkitError where it cannot be asked."""
    try:
        url = http_url(named[0])
    except argparse.ArgumentTypeError as error:
        raise ToolkitError(f"--judge: {error}.", f"See: {PROGRAM} --help") from None
    return connect(url, named[1])


def answer_of(referee: Target, chat: list[dict[str, str]]) -> str:
    """The judge's own words, without canon. Raises ToolkitError where it answers with an error."""
    more = {"rag": {"enabled": False}} if referee.proxy else {}
    answer = ask(referee, chat, max_tokens=TOKENS, temperature=0, **more)
    if answer.error:
        raise ToolkitError(
            f"The judge {referee.model} answers: {answer.error}.",
            "It must hold two texts in its window; take a model with a longer one.",
        )
    return answer.text


def add(run: results.Run, named: Sequence[str], against: str | None) -> None:
    """Let another model compare the run's texts with another result; kept in the summary."""
    file, others = opponent(run.file.parent, run.data["model"], against)
    referee = referee_of(named)
    log_test(f"{referee.model} compares with {file.name}, each pair in both orders")
    made = judged(run.items, others, lambda chat: answer_of(referee, chat))
    made = {"model": referee.model, "against": file.name, **made}
    run.finish({**run.data["summary"], "judge": made})
    log_ok(
        f"Judge: {made['won']} won, {made['lost']} lost, {made['tied_or_turned']} tied or turned "
        f"with the order, {made['unclear']} without a verdict. Judges of this kind agree with "
        f"people in {made['agreement_with_people']:.0%} of pairs at best."
    )
