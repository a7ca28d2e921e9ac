"""Prose of a model, or of finished files, scored by its distance from human fiction.

`vllm/benchmarks/3_creative_quality.py` runs it. The parts of the score: scifi_llm.prose.score.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..console import log_ok, log_test, log_warn
from ..prose import score as prose
from . import judging, results, score_files
from .statistics import bootstrap
from .target import Answer, Target, arguments, ask, connect
from .tones import DEFAULT_TONE, SYSTEM_PROMPTS, TESTS, TONE_CONFIGS, messages

PROGRAM = "3_creative_quality.py"
TARGET_RATE = 0.8  # of answers that the model itself ends
WORDS, REPEATS = 600, 3
QUICK_WORDS, QUICK_REPEATS, QUICK_TOKENS, QUICK_TESTS = 100, 1, 150, 3
TOKENS_PER_WORD = 2.0  # with room: English takes about 1.35
EPILOG = f"""\
tones: {", ".join(TONE_CONFIGS)} (default: {DEFAULT_TONE})
overall = 25 % vocabulary + 25 % structure + 50 % creativity, 0 to 100: distance from human pages
examples:
  ./{PROGRAM} gritty
  ./{PROGRAM} --all --repeats 5 --base-url http://127.0.0.1:8001/v1
  ./{PROGRAM} --score chapter-01.md chapter-02.md --tone poetic --json scores.json
  ./{PROGRAM} --judge http://127.0.0.1:8100/v1 Qwen/Qwen2.5-14B-Instruct
"""


def one(target: Target, tone: str, test: str, seed: int, words: int, tokens: int) -> dict[str, Any]:
    """One written text with its scores; `scores` is null where there is too little to score."""
    chat = messages(tone, test, words)
    answer = ask(target, chat, max_tokens=tokens, seed=seed, **TONE_CONFIGS[tone])
    prompt = "\n\n".join(message["content"] for message in chat)
    return {"tone": tone, "test": test, "seed": seed, **as_item(answer, tone, prompt)}


def as_item(answer: Answer, tone: str, prompt: str) -> dict[str, Any]:
    """What is kept of an answer: the raw text, how it ended, and its scores."""
    item: dict[str, Any] = {
        "text": answer.text,
        "finish_reason": answer.finish_reason,
        "error": answer.error,
        "completion_tokens": answer.completion_tokens,
        "seconds": round(answer.seconds, 3),
        "scores": None,
        "reason": "",
    }
    try:
        item["scores"] = prose.score(answer.text, tone, prompt)
    except ValueError as error:
        item["reason"] = str(error)
    return item


def summarize(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Completion rate and scores, of all items and of each tone; means with bootstrap intervals."""
    tones = dict.fromkeys(item["tone"] for item in items)
    return {
        **_summary(items),
        "tones": {tone: _summary([i for i in items if i["tone"] == tone]) for tone in tones},
    }


def _summary(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    ends = [item["finish_reason"] if not item["error"] else "error" for item in items]
    rate = ends.count("stop") / len(ends) if ends else None
    scored = [item["scores"] for item in items if item["scores"]]
    return {
        "texts": len(items),
        "completion_rate": round(rate, 3) if rate is not None else None,
        "completion_target": TARGET_RATE,
        "completion_target_met": rate is not None and rate > TARGET_RATE,
        "stopped": ends.count("stop"),
        "length": ends.count("length"),
        "errors": ends.count("error"),
        "too_short": sum(not item["scores"] and not item["error"] for item in items),
        "scored": bootstrap([float(bool(i["scores"])) for i in items if not i["error"]]),
        **{part: bootstrap([s[part] for s in scored]) for part in score_files.PARTS},
        "diagnostics": _diagnostics(scored),
    }


def _diagnostics(scored: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found = {}
    for name in prose.DIAGNOSTICS:
        values = [v for s in scored if (v := s["diagnostics"][name]["value"]) is not None]
        inside = [i for s in scored if (i := s["diagnostics"][name]["inside"]) is not None]
        share = round(sum(inside) / len(inside), 3) if inside else None
        found[name] = {**bootstrap(values), "inside_human_range": share}
    return found


def report(summary: dict[str, Any]) -> None:
    """Print the summary."""
    print(
        f"\n{'tone':<11} {'texts':>5} {'stop':>6} {'overall':>8}  interval     voc.  struct. creat."
    )
    for tone, row in summary["tones"].items():
        overall = row["overall"]
        mean = [row[p]["mean"] for p in score_files.PARTS]
        shown = [f"{m:7.1f}" if m is not None else f"{'-':>7}" for m in mean]
        low, high = overall["low"], overall["high"]
        span = f"{low:5.1f} to {high:5.1f}" if low is not None else f"{'-':>14}"
        rate = f"{row['completion_rate']:6.0%}"
        print(f"{tone:<11} {row['texts']:5} {rate} {shown[0]:>8}  {span} {' '.join(shown[1:])}")
    print()
    rate = summary["completion_rate"]
    text = (
        f"Completion rate {rate:.0%} (target: over {TARGET_RATE:.0%}): {summary['stopped']} "
        f"ended by the model, {summary['length']} cut off by length, {summary['errors']} errors"
    )
    (log_ok if summary["completion_target_met"] else log_warn)(text)


def parser() -> argparse.ArgumentParser:
    """The options of 3_creative_quality.py."""
    made = arguments(PROGRAM, "Score the prose of a model, or of finished files.", EPILOG)
    made.add_argument("tone", nargs="?", choices=[*TONE_CONFIGS], metavar="TONE", help="see below")
    made.add_argument("--all", action="store_true", help="all five tones")
    made.add_argument("--repeats", type=int, metavar="N", help=f"of each test; default: {REPEATS}")
    made.add_argument("--words", type=int, metavar="N", help=f"asked for; default: {WORDS}")
    made.add_argument("--score", nargs="+", metavar="FILE", help="score these; needs no server")
    made.add_argument("--tone", dest="score_tone", choices=[*TONE_CONFIGS], metavar="TONE")
    made.add_argument("--json", metavar="OUT", help="with --score: a list of objects; - for stdout")
    made.add_argument("--baseline", metavar="DIR", help="with --score: the author's own pages")
    made.add_argument("--judge", nargs=2, metavar=("URL", "MODEL"), help="pairwise, both orders")
    made.add_argument("--of", metavar="FILE", help="with --judge: judge this result, write nothing")
    made.add_argument("--against", metavar="FILE", help="with --judge: result of another model")
    return made


def main() -> int:
    """Entry of 3_creative_quality.py."""
    options = parser().parse_args()
    tone = options.score_tone or options.tone or DEFAULT_TONE
    if options.score:
        return score_files.run(options.score, tone, options.json, options.baseline)
    for name in ("json", "baseline"):
        if getattr(options, name):
            parser().error(f"--{name} goes with --score")
    if (options.of or options.against) and not options.judge:
        parser().error("--of and --against go with --judge")
    if options.of:
        judging.add(judging.finished(Path(options.of)), options.judge, options.against)
        return 0
    repeats = options.repeats or (QUICK_REPEATS if options.quick else REPEATS)
    words = options.words or (QUICK_WORDS if options.quick else WORDS)
    if repeats < 1 or words < prose.MIN_WORDS:
        parser().error(f"--repeats must be 1 or more, --words {prose.MIN_WORDS} or more")
    target = connect(options.base_url, options.model)
    run = measure(target, options, [*TONE_CONFIGS] if options.all else [tone], repeats, words)
    report(run.data["summary"])
    if options.judge:
        judging.add(run, options.judge, options.against)
    return 0


def measure(
    target: Target, options: argparse.Namespace, tones: list[str], repeats: int, words: int
) -> results.Run:
    """Write and score all texts, in a run that can be cut short and gone on with."""
    tokens = QUICK_TOKENS if options.quick else int(words * TOKENS_PER_WORD) + 200
    tests = dict(list(TESTS.items())[:QUICK_TESTS]) if options.quick else TESTS
    if target.context:
        tokens = max(64, min(tokens, target.context - 400))
    parameters = {
        "tones": {tone: TONE_CONFIGS[tone] for tone in tones},
        "system_prompts": {tone: SYSTEM_PROMPTS[tone] for tone in tones},
        "tests": tests,
        "repeats": repeats,
        "words": words,
        "max_tokens": tokens,
        "quick": options.quick,
        "proxy": target.proxy,
    }
    run = results.start("creative", target, parameters, options.seed, options.out, options.fresh)
    log_test(f"{len(tones) * len(tests) * repeats} texts of {target.model} at {target.base_url}")
    work = [
        (f"{tone}/{test}/{n}", partial(one, target, tone, test, options.seed + n, words, tokens))
        for n in range(repeats)
        for tone in tones
        for test in tests
    ]
    results.work_through(run, work, "Writing", summarize)
    return run
