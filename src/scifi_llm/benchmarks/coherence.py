"""Does a long story keep its facts? `vllm/benchmarks/4_long_context_coherence.py` runs it.

A story is written chapter by chapter with facts planted in its first chapter; at depths of 2,000 to
20,000 words they are asked for in other words. Rules (benchmarks/facts) judge answers and story.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..console import log_test, log_warn
from . import results, story
from .check_files import check_files
from .facts import model as facts_model
from .facts.check import CONTRADICTED, check
from .recall import judge_answer, report, summarize
from .target import Target, arguments, ask, connect

PROGRAM = "4_long_context_coherence.py"
CHAPTER_WORDS, CHAPTERS = 1000, 21
QUICK_WORDS, QUICK_CHAPTERS, QUICK_DEPTHS, QUICK_FACTS = 100, 2, (100, 200), 2
ANSWER_TOKENS, QUICK_ANSWER = 60, 24
TOKENS_PER_WORD, QUICK_PER_WORD = 1.45, 1.3
EPILOG = f"""\
without a server: ./{PROGRAM} --check STORY --facts FACTS.yaml [--json OUT]
  each fact: kept, contradicted with the quoted sentence, or not mentioned

{facts_model.__doc__}
examples:
  ./{PROGRAM} --base-url http://127.0.0.1:8001/v1
  ./{PROGRAM} --check book.md --facts facts.yaml --json found.json
"""


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
    target: Target, run: results.Run, plant: story.Plant, depth: int, plan: dict[str, Any],
    canon: bool | None,
) -> dict[str, Any]:  # fmt: skip
    """One question at one depth: the facts, then `depth` words of the story, then the question."""
    name = plan["name"]
    chapters = [i["text"] for i in run.items if i["kind"] == "chapter" and i["story"] == name]
    room = int(((target.context or 32768) - 300) / TOKENS_PER_WORD)
    filler = story.last_words("\n\n".join(chapters), min(depth, room))
    text = f"{plant.sentence}\n\n{filler}"
    answer = ask(
        target,
        story.question_messages(text, plant.question),
        max_tokens=plan["answer"],
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
        "prompt_tokens": answer.prompt_tokens,
        "question": plant.question,
        "text": answer.text,
        "verdict": verdict,
        "error": answer.error,
    }


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
    tokens = int(words * QUICK_PER_WORD if quick else words * TOKENS_PER_WORD + 200)
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
            "answer": QUICK_ANSWER if quick else ANSWER_TOKENS,
            "planted": [p.sentence for p in planted],
        }
        work += [
            (f"{name}/chapter/{n}", partial(write_chapter, target, run, n, plan, canon))
            for n in range(1, chapters + 1)
        ]
        work.append((f"{name}/check", partial(check_run, run, name, planted)))
        work += [
            (f"{name}/{p.fact.id}/{d}", partial(ask_fact, target, run, p, d, plan, canon))
            for d in depths
            for p in asked
        ]
    results.work_through(run, work, "Story", summarize)
    return run
