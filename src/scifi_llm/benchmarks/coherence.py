"""Does a long story keep its facts? `vllm/benchmarks/4_long_context_coherence.py` runs it.

A story is written chapter by chapter with facts planted in its first chapter; at depths of 2,000 to
20,000 words they are asked for in other words. Rules (benchmarks/facts) judge answers and story.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..console import keep_stdout_for_data, log_ok, log_test, log_warn
from ..errors import ToolkitError
from . import results, story
from .facts import model as facts_model
from .facts.check import ABSENT, CONTRADICTED, KEPT, check
from .facts.fact import Fact
from .score_files import read_text
from .statistics import bootstrap
from .target import Target, arguments, ask, connect

PROGRAM = "4_long_context_coherence.py"
CHAPTER_WORDS, CHAPTERS = 1000, 21
QUICK_WORDS, QUICK_CHAPTERS, QUICK_DEPTHS, QUICK_TOKENS, QUICK_FACTS = 100, 2, (100, 200), 130, 2
TOKENS_PER_WORD = 1.45
EFFECTIVE_SHARE = 0.85  # of the recall at the shortest depth (RULER, Hsieh et al. 2024)
EPILOG = f"""\
without a server: ./{PROGRAM} --check STORY --facts FACTS.yaml [--json OUT]
  each fact: kept, contradicted with the quoted sentence, or not mentioned

{facts_model.__doc__}
examples:
  ./{PROGRAM} --base-url http://127.0.0.1:8001/v1
  ./{PROGRAM} --check book.md --facts facts.yaml --json found.json
"""


def check_files(story_file: Path, facts_file: Path, out: str | None) -> int:
    """`--check`: print a row a fact and write them; 0 also where facts are contradicted."""
    if out == "-":
        keep_stdout_for_data()
    rows = check_story(read_text(story_file), facts_model.load(facts_file))
    if out != "-":
        print(table(rows))
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    if out == "-":
        print(text)
    elif out:
        Path(out).write_text(text + "\n", encoding="utf-8")
        log_ok(f"Written: {out}")
    wrong = sum(row["verdict"] == CONTRADICTED for row in rows)
    kept = sum(row["verdict"] == KEPT for row in rows)
    say = log_warn if wrong else log_ok
    say(
        f"{len(rows)} facts: {kept} kept, {wrong} contradicted, "
        f"{len(rows) - kept - wrong} not mentioned"
    )
    return 0


def check_story(text: str, facts: Sequence[Fact]) -> list[dict[str, Any]]:
    """The rows of `check`. Raises ToolkitError for a text without a sentence."""
    if not any(ch.isalpha() for ch in text):
        raise ToolkitError("The story holds no sentence.", "Name a text: --check STORY")
    return check(text, facts)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as lines of text, contradictions with their sentence."""
    lines = []
    for row in rows:
        what = f"{row['subject']}: {row['attribute']} = {row['value']}"
        lines.append(f"{row['verdict']:<14} {row['id']:<16} {what}")
        lines += [
            f"{'':14} word {e['word']}: {e['sentence']}" for e in row["evidence"] if row["quote"]
        ]
    return "\n".join(lines)


def write_chapter(
    target: Target, run: results.Run, number: int, plan: dict[str, Any], canon: bool | None
) -> dict[str, Any]:
    """Chapter `number` of one story; the earlier ones are in the run."""
    kind = plan["name"]
    written = [i["text"] for i in run.items if i["kind"] == "chapter" and i["story"] == kind]
    room = (target.context or 32768) - plan["tokens"] - 400
    messages = story.chapter_messages(
        number,
        written,
        plan["planted"] if number == 1 else [],
        plan["words"],
        int(room / TOKENS_PER_WORD),
    )
    answer = ask(target, messages, max_tokens=plan["tokens"], temperature=0.8,
                 seed=run.data["seed"] * 1000 + number, **_rag(target, canon))  # fmt: skip
    return {
        "kind": "chapter",
        "story": kind,
        "number": number,
        "text": answer.text,
        "words": len(answer.text.split()),
        "finish_reason": answer.finish_reason,
        "error": answer.error,
    }


def _rag(target: Target, canon: bool | None) -> dict[str, Any]:
    return {"rag": {"enabled": bool(canon)}} if target.proxy else {}


def ask_fact(
    target: Target, run: results.Run, plant: story.Plant, depth: int, name: str, canon: bool | None
) -> dict[str, Any]:
    """One question at one depth: the facts, then `depth` words of the story, then the question."""
    chapters = [i["text"] for i in run.items if i["kind"] == "chapter" and i["story"] == name]
    room = int(((target.context or 32768) - 300) / TOKENS_PER_WORD)
    filler = story.last_words("\n\n".join(chapters), min(depth, room))
    text = f"{plant.sentence}\n\n{filler}"
    answer = ask(
        target,
        story.question_messages(text, plant.question),
        max_tokens=60,
        temperature=0.0,
        **_rag(target, canon),
    )
    verdict = judge_answer(plant.fact, answer.text) if not answer.error else "error"
    return {
        "kind": "answer",
        "story": name,
        "fact": plant.fact.id,
        "depth": depth,
        "words": len(filler.split()),
        "question": plant.question,
        "text": answer.text,
        "verdict": verdict,
        "error": answer.error,
    }


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


def check_run(run: results.Run, name: str, planted: Sequence[story.Plant]) -> dict[str, Any]:
    """The whole story held against all planted facts."""
    text = "\n\n".join(
        i["text"] for i in run.items if i["kind"] == "chapter" and i["story"] == name
    )
    rows = check(text, [p.fact for p in planted])
    wrong = [row for row in rows if row["verdict"] == CONTRADICTED]
    return {"kind": "check", "story": name, "contradictions": len(wrong), "facts": rows}


def parser() -> argparse.ArgumentParser:
    """The options of 4_long_context_coherence.py."""
    made = arguments(PROGRAM, "Measure how long a story keeps its facts, or check one.", EPILOG)
    made.add_argument("--check", metavar="STORY", help="hold a finished text against --facts")
    made.add_argument("--facts", metavar="FILE", help="with --check, or to plant the author's own")
    made.add_argument("--json", metavar="OUT", help="with --check: a list of objects; - for stdout")
    made.add_argument("--chapters", type=int, metavar="N", help=f"default: {CHAPTERS}")
    made.add_argument("--words", type=int, metavar="N", help=f"a chapter; default: {CHAPTER_WORDS}")
    return made


def main() -> int:
    """Entry of 4_long_context_coherence.py."""
    options = parser().parse_args()
    if options.check:
        if not options.facts:
            parser().error("--check needs --facts FACTS.yaml")
        return check_files(Path(options.check), Path(options.facts), options.json)
    if options.json:
        parser().error("--json goes with --check")
    planted = story.plants()
    if options.facts:
        planted = story.own_plants(facts_model.load(Path(options.facts)))
    target = connect(options.base_url, options.model)
    run = measure(target, options, planted)
    report(run.data["summary"])
    return 0


def measure(target: Target, options: argparse.Namespace, planted: list[story.Plant]) -> results.Run:
    """Write the stories and ask; with the proxy twice, with and without its canon."""
    quick = options.quick
    words = options.words or (QUICK_WORDS if quick else CHAPTER_WORDS)
    chapters = options.chapters or (QUICK_CHAPTERS if quick else CHAPTERS)
    depths = QUICK_DEPTHS if quick else story.DEPTHS
    tokens = QUICK_TOKENS if quick else int(words * TOKENS_PER_WORD) + 200
    asked = planted[:QUICK_FACTS] if quick else planted
    stories = {"canon": True, "no canon": False} if target.proxy else {"plain": None}
    parameters = {
        "words": words,
        "chapters": chapters,
        "depths": list(depths),
        "max_tokens": tokens,
        "facts": [p.fact.id for p in asked],
        "planted": [p.sentence for p in planted],
        "stories": list(stories),
        "quick": quick,
    }
    run = results.start("coherence", target, parameters, options.seed, options.out, options.fresh)
    if target.context and max(depths) * TOKENS_PER_WORD > target.context:
        log_warn(f"The server's window of {target.context} tokens cuts the greater depths short.")
    log_test(f"{len(stories)} stories of {chapters} chapters, {len(asked)} facts, depths {depths}")
    work: list[results.Work] = []
    for name, canon in stories.items():
        plan = {
            "name": name,
            "words": words,
            "tokens": tokens,
            "planted": [p.sentence for p in planted],
        }
        work += [
            (f"{name}/chapter/{n}", partial(write_chapter, target, run, n, plan, canon))
            for n in range(1, chapters + 1)
        ]
        work.append((f"{name}/check", partial(check_run, run, name, planted)))
        work += [
            (f"{name}/{p.fact.id}/{d}", partial(ask_fact, target, run, p, d, name, canon))
            for d in depths
            for p in asked
        ]
    results.work_through(run, work, "Story", summarize)
    return run


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
