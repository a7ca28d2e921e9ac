"""Random conversations: stable beginnings, and nothing that the rules hide."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scifi_llm.rag.canon import visible
from scifi_llm.rag.proxy.body import ChatBody
from scifi_llm.rag.proxy.injection import Injector
from scifi_llm.rag.proxy.lookup import Lookup
from scifi_llm.rag.proxy.options import RagOptions
from scifi_llm.rag.proxy.settings import ProxySettings

FRONTS: list[dict[str, Any]] = [
    {},
    {"from_chapter": 3},
    {"until_chapter": 2},
    {"known_by": ("Elena",)},
    {"always": True},
    {"always": True, "from_chapter": 3},
]
WORDS = ["ford", "ship", "map", "war", "fire", "oak"]
RULES = [RagOptions(), RagOptions(as_of=2), RagOptions(as_of=4), RagOptions(pov="Jonas")]
steps = st.one_of(
    st.tuples(st.just("ask"), st.sets(st.sampled_from(WORDS), min_size=1)),
    st.tuples(st.just("tools"), st.none()),
    st.tuples(st.just("regenerate"), st.none()),
    st.tuples(st.just("edit"), st.integers(0, 9)),
    st.tuples(st.just("branch"), st.integers(0, 9)),
    st.tuples(st.just("rules"), st.integers(0, len(RULES) - 1)),
    st.tuples(st.just("rewrite"), st.integers(0, len(FRONTS) - 1)),
    st.tuples(st.just("fail"), st.none()),
    st.tuples(st.just("restart"), st.none()),
)


class Nobody:
    """An upstream that is down."""

    base_url, api_key, client = "http://127.0.0.1:9/v1", "", None

    async def served_models(self) -> list[dict[str, Any]]:
        return []


@dataclass
class Session:
    """Grows a conversation by random steps and checks every request that comes of it."""

    book: Any
    state: Path
    options: RagOptions = RULES[0]
    talk: list[dict[str, Any]] = field(default_factory=list)
    sent: list[tuple[RagOptions, list[Any], list[Any]]] = field(default_factory=list)
    version: int = 0

    def __post_init__(self) -> None:
        self.injector = self.start()
        for i in range(len(FRONTS)):
            self.write(i)

    def start(self) -> Injector:
        config = ProxySettings("novel", "http://x/v1", state=self.state, retrieval_seconds=30)
        return Injector(Lookup(self.book, config), Nobody())  # type: ignore[arg-type]

    def write(self, i: int) -> None:
        self.version += 1
        words = f"{WORDS[i]} {WORDS[(i + 1) % len(WORDS)]}"
        self.book.write(f"{i}.md", f"{words} note{i}v{self.version}", **FRONTS[i])

    async def step(self, action: str, value: Any) -> None:
        turns = [i for i, message in enumerate(self.talk) if message["role"] == "user"]
        if action == "rules":
            self.options = RULES[value]
        elif action == "rewrite":
            self.write(value)
        elif action == "restart":
            self.injector.memory.close()
            self.injector = self.start()
        elif action == "ask":
            await self.ask(" ".join(sorted(value)))
        elif action == "fail":
            self.book.failure = RuntimeError("locked")
            await self.ask("ford while it is locked")
            self.book.failure = None
        elif turns:
            await self.revise(action, value, turns)

    async def revise(self, action: str, value: Any, turns: list[int]) -> None:
        if action == "regenerate":
            self.talk = self.talk[: turns[-1] + 1]
            await self.send()
        elif action == "tools":
            self.talk = self.talk[: turns[-1] + 1]
            self.talk.append({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]})
            self.talk.append({"role": "tool", "tool_call_id": "1", "content": "found"})
            await self.send()
        else:
            at = turns[value % len(turns)]
            self.talk = self.talk[:at]
            await self.ask("oak ship edited" if action == "edit" else "fire in a branch")

    async def ask(self, text: str) -> None:
        self.talk = [*self.talk, {"role": "user", "content": text}]
        await self.send()

    async def send(self) -> None:
        client = json.loads(json.dumps(self.talk))
        body = ChatBody(json.dumps({"model": "small", "messages": client}).encode())
        await self.injector.inject(body, self.options, {})
        told = body.told["messages"]
        self.check_rules(json.dumps(told))
        self.check_beginning(client, told)
        self.sent.append((self.options, client, told))
        self.talk.append({"role": "assistant", "content": f"Answer {len(self.sent)}."})

    def check_rules(self, text: str) -> None:
        for i in range(len(FRONTS)):
            note = self.book.notes[f"{i}.md"][0]
            if not visible(note, self.options.as_of, self.options.pov):
                assert f"note{i}v" not in text

    def check_beginning(self, client: list[Any], told: list[Any]) -> None:
        """The longest conversation that this one goes on from, as it was sent last."""
        earlier = [
            (len(old), when, sent)
            for when, (options, old, sent) in enumerate(self.sent)
            if options == self.options and old == client[: len(old)] and len(old) < len(client)
        ]
        if not earlier:
            return
        before = max(earlier)[2]
        # The always block may change with the canon; everything said is as it was.
        ours, theirs = ([m for m in x if m["role"] != "system"] for x in (told, before))
        assert ours[: len(theirs)] == theirs


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(steps, min_size=3, max_size=14))
def test_random_conversations(book: Any, tmp_path: Path, script: list[tuple[str, Any]]) -> None:
    async def run() -> None:
        state = tmp_path / "turns.sqlite3"
        for file in tmp_path.glob("turns.sqlite3*"):
            file.unlink()
        session = Session(type(book)(), state)
        for action, value in script:
            await session.step(action, value)
        session.injector.memory.close()

    asyncio.run(run())
