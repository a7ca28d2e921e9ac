"""A long session through the real proxy: what each way of placing canon costs in time and cache."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from ... import machine
from ...console import Parser, log_ok, log_test, log_warn
from ...errors import ToolkitError
from ...openai_api import fetch, served_model, stream_chat
from ...paths import EXAMPLE_WORLD, chroma_dir, query_results_dir
from ...settings import setting
from ..index import choose_collection
from .plot import chart
from .processes import free_port, proxy_command, server
from .recorder import recording

PLACEMENTS = ("stable", "tail", "system")
SEED = 7
CACHED_SHARE, TIME_SHARE = 0.9, 1 / 3  # the targets
SYSTEM = (
    "Session {number}. You help a novelist with a book of science fiction. Answer in the voice of "
    "the book: plain words, long vowels of weather and water, no summaries and no lists. Keep to "
    "what the notes say of people, places and things; where they say nothing, ask. When a scene is "
    "asked for, write prose with concrete detail, and end where the next scene can begin."
)
DRAFT_CHARACTERS = 6000  # about 1,400 tokens: an author pastes the scene that is worked on
QUESTIONS = (
    "This is the scene that we work on.\n\n{draft}\n\n"
    "What are Elena Ruhl's key traits, and how do they show when she repairs a sounder?",
    "Who is Jonas Thorvald to her? Write a short scene in which they disagree about a reading.",
    "Describe the Patient Argument as Elena sees it when she comes aboard after eleven days.",
    "What does the Keel Drive Mark IV do below its safe depth, and who would notice first?",
    "Now let Ottoline Ruhl speak to her at the oak table. What has she never told her sister?",
    "How do the people of Brinehall bury their dead? Let a dockhand explain it to a stranger.",
    "Marcus Adeyinka Holt comes in with a ledger. Write what he says, and what Elena does not.",
    "Go on from there: the fire on deck six breaks out. Who is where, and what counts down?",
)


@dataclass(frozen=True)
class Turn:
    """One turn: tokens as vLLM counts them, seconds as the client sees them.

    `reused` is the part of the previous turn's prompt that was read from the cache.
    """

    turn: int
    prompt_tokens: int
    cached_tokens: int
    reused: float | None
    first_token_s: float
    total_s: float
    answer_tokens: int
    status: str
    sources: int


def ask(base_url: str, body: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any], float]:
    """(answer, usage, rag field, seconds until the first text)."""
    text, first = "", 0.0
    usage: dict[str, Any] = {}
    rag: dict[str, Any] = {}
    started = time.perf_counter()
    with stream_chat(base_url, body, "") as events:
        for event in events:
            if "error" in event:
                raise ToolkitError(str(event["error"].get("message", "The answer broke off.")))
            usage, rag = event.get("usage") or usage, event.get("rag", rag)
            for choice in event.get("choices", []):
                piece = choice.get("delta", {}).get("content") or ""
                first = first or (time.perf_counter() - started if piece else 0.0)
                text += piece
    return text, usage, rag, first


@dataclass
class Session:
    """One conversation through one proxy."""

    placement: str
    base_url: str
    bodies: list[bytes]
    messages: list[dict[str, Any]]
    turns: list[Turn] = field(default_factory=list)

    def say(self, text: str, model: str, options: Any) -> None:
        """Hold one turn and measure it."""
        self.messages.append({"role": "user", "content": text})
        body = {
            "model": model, "messages": self.messages, "max_tokens": options.max_tokens,
            "temperature": 0, "seed": SEED, "stream_options": {"include_usage": True},
            "rag": {"budget_tokens": options.budget_tokens},
        }  # fmt: skip
        started = time.perf_counter()
        answer, usage, rag, first = ask(self.base_url, body)
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        last = self.turns[-1].prompt_tokens if self.turns else 0
        self.turns.append(
            Turn(
                len(self.turns) + 1,
                usage["prompt_tokens"],
                cached,
                round(cached / last, 3) if last else None,
                round(first, 3),
                round(time.perf_counter() - started, 3),
                usage["completion_tokens"],
                rag.get("status", "?"),
                len(rag.get("sources", [])),
            )
        )
        log_ok(f"{self.placement:6} {_line(self.turns[-1])}")
        self.messages.append({"role": "assistant", "content": answer})


def _line(turn: Turn) -> str:
    reused = "" if turn.reused is None else f", {turn.reused:.0%} of the last prompt from cache"
    return (
        f"first token after {turn.first_token_s:.2f} s, {turn.prompt_tokens} "
        f"prompt tokens, {turn.cached_tokens} cached{reused}, {turn.sources} sources, {turn.status}"
    )


def stays(bodies: Sequence[bytes]) -> bool:
    """Do the messages of each request begin with those of the one before, byte for byte?"""
    told = [json.dumps(json.loads(body)["messages"], ensure_ascii=False)[:-1] for body in bodies]
    return all(later.startswith(earlier) for earlier, later in pairwise(told))


@contextmanager
def proxy(collection: str, placement: str, upstream: int, folder: Path) -> Iterator[str]:
    """The proxy on a free port, over the author's collections and a state of its own."""
    home, port = folder / placement, free_port()
    home.mkdir()
    (home / "chroma_db").symlink_to(chroma_dir())
    url = f"http://127.0.0.1:{port}"
    env = {"RAG_HOME": str(home), "RAG_PLACEMENT": placement, "RAG_API_KEY": ""}
    command = proxy_command(collection, port, upstream)
    with server("The proxy", command, f"{url}/health", home / "log", None, env):
        yield f"{url}/v1"


def measure(options: Any, collection: str) -> dict[str, Any]:
    """All placements turn by turn in one run, so that each meets the machine in the same state."""
    model = served_model(options.upstream)
    chapter = next((EXAMPLE_WORLD / "chapters").glob("chapter-05*")).read_text("utf-8")
    sessions: list[Session] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for number, placement in enumerate(PLACEMENTS):
            recorder = stack.enter_context(recording(options.upstream))
            relay = proxy(collection, placement, recorder.port, folder)
            url = stack.enter_context(relay)
            # A number of its own in each first message: none reads what another has cached.
            system = SYSTEM.format(number=f"{time.time_ns() // 1000}-{number}")
            first = {"role": "system", "content": system}
            sessions.append(Session(placement, url, recorder.bodies, [first]))
        for place, question in enumerate(QUESTIONS[: options.turns], start=1):
            log_test(f"Turn {place} of {options.turns}")
            for each in sessions:
                each.say(question.format(draft=chapter[:DRAFT_CHARACTERS]), model, options)
    found = {
        each.placement: {
            "turns": [asdict(turn) for turn in each.turns],
            "each_request_begins_with_the_one_before": stays(each.bodies),
        }
        for each in sessions
    }
    return {
        "model": model,
        "collection": collection,
        **machine.record(()),
        "versions": machine.versions_of(()) | {"vllm": _vllm(options.upstream)},
        "settings": {
            "turns": options.turns, "max_tokens": options.max_tokens, "seed": SEED,
            "temperature": 0, "budget_tokens": options.budget_tokens,
        },
        "placements": found,
        "summary": summary(found),
    }  # fmt: skip


def _vllm(upstream: str) -> str | None:
    text = fetch(upstream.rstrip("/").removesuffix("/v1") + "/version", 5)
    try:
        return str(json.loads(text or "")["version"])
    except (ValueError, KeyError, TypeError):
        return None


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """The two targets: what `stable` reads from cache, and its last turn's time to `system`'s."""
    stable, system = found["stable"]["turns"], found["system"]["turns"]
    reused = min((turn["reused"] for turn in stable[1:]), default=None)
    ratio = round(stable[-1]["first_token_s"] / system[-1]["first_token_s"], 3)
    return {
        "least_reused_by_stable": reused,
        "last_turn_stable_to_system": ratio,
        "targets_met": bool(
            reused is not None
            and reused >= CACHED_SHARE
            and ratio <= TIME_SHARE
            and found["stable"]["each_request_begins_with_the_one_before"]
        ),
    }


def main() -> int:
    """Entry of RAG/benchmarks/measure_session.py."""
    parser = Parser(prog="measure_session.py", description="Measure a long session's cache.")
    default = f"http://127.0.0.1:{setting('VLLM_PORT')}/v1"
    parser.add_argument("--collection", metavar="NAME", help="default: the one written last")
    parser.add_argument("--upstream", default=default, metavar="URL", help=f"default: {default}")
    parser.add_argument("--turns", type=int, default=len(QUESTIONS), metavar="N", help="2 to 8 (8)")
    parser.add_argument("--max-tokens", type=int, default=200, metavar="N", help="an answer (200)")
    parser.add_argument("--budget-tokens", type=int, default=300, metavar="N", help="lore (300)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: test_results/")
    options = parser.parse_args()
    if not 2 <= options.turns <= len(QUESTIONS):
        parser.error(f"--turns must be from 2 to {len(QUESTIONS)}")
    collection = choose_collection(options.collection, chroma_dir())
    folder = options.out or query_results_dir().with_name("test_results")
    folder.mkdir(parents=True, exist_ok=True)
    found = measure(options, collection)
    file = folder / f"session_{datetime.now():%Y%m%d_%H%M%S}.json"
    file.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    file.with_suffix(".svg").write_text(chart(found["placements"]), encoding="utf-8")
    told = found["summary"]
    tell = log_ok if told["targets_met"] else log_warn
    tell(
        f"stable read at least {told['least_reused_by_stable']:.0%} of the last prompt from cache "
        f"(target {CACHED_SHARE:.0%}); its last first token took "
        f"{told['last_turn_stable_to_system']:.0%} of system's time (target {TIME_SHARE:.0%})"
    )
    log_ok(f"Kept in {file} and {file.with_suffix('.svg').name}")
    return 0
