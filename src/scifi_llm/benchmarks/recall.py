"""What a story still knows: answers judged by the rules, recall by depth, what canon changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..console import log_ok
from .facts.check import ABSENT, CONTRADICTED, KEPT, check
from .facts.fact import Fact
from .statistics import bootstrap

EFFECTIVE_SHARE = 0.85  # of the recall at the shortest depth (RULER, Hsieh et al. 2024)


def judge_answer(fact: Fact, answer: str) -> str:
    """kept, contradicted or not mentioned: by the rules, else by the value named alone."""
    verdict = str(check(f"{answer}", [fact])[0]["verdict"])
    if verdict != ABSENT:
        return verdict
    return str(check(restated(fact, answer), [fact])[0]["verdict"])


def restated(fact: Fact, answer: str) -> str:
    """A short answer ("Brown.") as a sentence about the subject, so that the rules can read it."""
    said = answer.strip().split("\n")[0].rstrip(".")
    forms = {
        "colour": f"{fact.subject}'s {' '.join(fact.nouns[:1])} were {said}.",
        "age": f"{fact.subject} was {said}.",
        "place": f"{fact.subject} was born in {said}.",
        "rank": f"{fact.subject} was a {said}.",
        "name": f"{fact.subject} was called {said}.",
        "count": f"{fact.subject} had {said} {' '.join(fact.nouns[:1])}.",
        "relation": f"{fact.subject} was {fact.other}'s {said}.",
    }
    return forms.get(fact.kind, f"{fact.subject}'s {fact.attribute} was {said}.")


def summarize(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Recall by depth with intervals, effective length, contradictions and words of each story."""
    names = dict.fromkeys(item["story"] for item in items)
    found: dict[str, Any] = {"stories": {}}
    for name in names:
        mine = [i for i in items if i["story"] == name]
        answers = [i for i in mine if i["kind"] == "answer" and i["verdict"] != "error"]
        depths = sorted({i["depth"] for i in answers})
        curve = [
            {
                "depth": depth,
                "recall": bootstrap(
                    [float(i["verdict"] == KEPT) for i in answers if i["depth"] == depth]
                ),
                "contradicted": sum(
                    i["verdict"] == CONTRADICTED for i in answers if i["depth"] == depth
                ),
            }
            for depth in depths
        ]
        checks = [i for i in mine if i["kind"] == "check"]
        found["stories"][name] = {
            "words": sum(i["words"] for i in mine if i["kind"] == "chapter"),
            "curve": curve,
            "effective_words": effective(curve),
            "recall": bootstrap([float(i["verdict"] == KEPT) for i in answers]),
            "errors": sum(bool(i.get("error")) for i in mine),
            "contradictions": checks[-1]["contradictions"] if checks else None,
        }
    if {"canon", "no canon"} <= set(found["stories"]):
        found["canon_effect"] = canon_effect(items)
    return found


def canon_effect(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How much more is recalled with canon, question by question: mean difference and interval."""
    kept: dict[str, dict[tuple[str, int], float]] = {"canon": {}, "no canon": {}}
    for item in items:
        if item["kind"] == "answer" and item["verdict"] != "error":
            kept[item["story"]][item["fact"], item["depth"]] = float(item["verdict"] == KEPT)
    both = kept["canon"].keys() & kept["no canon"].keys()
    return bootstrap([kept["canon"][key] - kept["no canon"][key] for key in sorted(both)])


def effective(curve: Sequence[dict[str, Any]]) -> int | None:
    """The greatest depth up to which recall stays at EFFECTIVE_SHARE of that at the first one."""
    good, first = None, None
    for point in curve:
        mean = point["recall"]["mean"]
        first = mean if first is None else first
        if not first or mean < EFFECTIVE_SHARE * first:
            break
        good = int(point["depth"])
    return good


def report(summary: dict[str, Any]) -> None:
    """Print recall by depth for each story."""
    for name, row in summary["stories"].items():
        log_ok(
            f"Story {name}: {row['words']} words, {row['contradictions']} facts contradicted in it"
        )
        for point in row["curve"]:
            recall = point["recall"]
            span = (
                f" ({recall['low']:.2f} to {recall['high']:.2f})"
                if recall["low"] is not None
                else ""
            )
            print(
                f"  {point['depth']:>6} words  recall {recall['mean']:.2f}{span}, "
                f"{point['contradicted']} contradicted"
            )
        log_ok(f"Effective length: {row['effective_words'] or 'below the shortest depth'} words")
    if effect := summary.get("canon_effect"):
        low, high = effect["low"], effect["high"]
        span = f" ({low:+.2f} to {high:+.2f})" if low is not None else ""
        log_ok(f"Canon changes recall by {effect['mean'] or 0:+.2f}{span}")
