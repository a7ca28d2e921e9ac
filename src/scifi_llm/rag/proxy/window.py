"""Prompt, lore and answer within the context window of the served model."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...openai_api import Upstream, text_of
from ..tokens import TokenCounter, counter, estimate, is_exact

REFRESH_SECONDS = 20.0
RETRY_SECONDS = 5.0
ASK_SECONDS = 3.0  # for the upstream's list of models and its tokenizer
ANSWER_TOKENS = 1024  # kept free where the client names no max_tokens; at most a quarter
LEAST_LORE = 8  # lore keeps this part of the window against a long answer
PER_MESSAGE = 8  # what a chat template writes around a message: 4 to 7 tokens in ChatML and Llama 3
MARGIN = 64  # default system prompt and date line of a template
BYTES_PER_TOKEN = 2  # the fewest that ordinary text of any script takes
_TEMPLATE_FIELDS = (
    "add_generation_prompt", "continue_final_message", "chat_template", "chat_template_kwargs"
)  # fmt: skip


@dataclass(frozen=True)
class Fitted:
    """What is left out: the `old` oldest turns' lore, the last `new` passages, `always`.

    `max_tokens` is the answer's length where it had to be clamped.
    """

    old: int = 0
    new: int = 0
    always: bool = False
    max_tokens: int | None = None


def fit(
    window: int,
    conversation: int,
    old: Sequence[int],
    new: Sequence[int],
    always: int,
    answer: int | None,
) -> Fitted:
    """Make a prompt fit. All sizes in tokens; `old` oldest turn first, `new` best first. Pure.

    Lore gives way before the answer does, but not below an eighth of the window: with max_tokens
    as large as the window there would never be any. Lore of earlier turns goes oldest first and in
    one step, until all lore takes at most half of its room, so that the turns after this one keep
    the same beginning; then the newest turn's last passages; then the `always` notes. What the
    answer still lacks is clamped.
    """
    reserve = min(ANSWER_TOKENS, window // 4)
    free = window - conversation
    room = free - (reserve if answer is None else answer)
    if answer is not None:
        room = max(room, min(window // LEAST_LORE, free - min(answer, reserve)))
    room = max(0, room)
    fresh = sum(new) + always
    drop_old = 0
    if sum(old) + fresh > room:
        while drop_old < len(old) and sum(old[drop_old:]) + fresh > room // 2:
            drop_old += 1
    drop_new = 0
    while drop_new < len(new) and sum(old[drop_old:]) + always + _kept(new, drop_new) > room:
        drop_new += 1
    lore = sum(old[drop_old:]) + always + _kept(new, drop_new)
    drop_always = lore > room and always > 0
    left = free - (lore - always if drop_always else lore)
    clamp = left if answer is not None and 1 <= left < answer else None
    return Fitted(drop_old, drop_new, drop_always, clamp)


def _kept(new: Sequence[int], dropped: int) -> int:
    return sum(new[: len(new) - dropped])


@dataclass(frozen=True)
class Model:
    """A served model: `root` is its folder or hub name, `window` its max_model_len."""

    id: str
    root: str
    window: int | None


@dataclass
class Models:
    """The upstream's models, asked for every 20 s while used; and what its templates take."""

    upstream: Upstream
    _known: dict[str, Model] = field(default_factory=dict)
    _until: float = 0.0
    _asked: float = 0.0
    _task: asyncio.Task[None] | None = None
    _system: dict[str, bool] = field(default_factory=dict)

    async def served(self) -> dict[str, Model]:
        """Models by id; what was known last where the upstream does not answer in time."""
        if time.monotonic() >= self._until and self._task is None:
            self._task = asyncio.create_task(self._refresh())
        if self._task and not self._known:
            await asyncio.wait({self._task}, timeout=ASK_SECONDS)
        return self._known

    async def _refresh(self) -> None:
        wait = RETRY_SECONDS
        try:
            async with asyncio.timeout(ASK_SECONDS):
                found = models_of(await self.upstream.served_models())
            # Loading a tokenizer takes up to a second, which is not taken from a search's time.
            for model in found.values():
                await asyncio.to_thread(counter, model.root)
            if found:
                self._known, wait = found, REFRESH_SECONDS
        except Exception:  # noqa: BLE001 - without the list a request is only not fitted
            wait = RETRY_SECONDS
        finally:
            self._asked = time.monotonic()
            self._until = self._asked + wait
            self._task = None

    async def renew(self) -> None:
        """Ask anew: another model may have been started since."""
        if self._task is None:
            self._task = asyncio.create_task(self._refresh())
        await asyncio.wait({self._task}, timeout=ASK_SECONDS)

    async def of(self, fields: Mapping[str, Any]) -> Model | None:
        """The model that a request asks for; without a name vLLM takes its first."""
        served = await self.served()
        name = fields.get("model")
        if name and str(name) not in served and time.monotonic() > self._asked + RETRY_SECONDS:
            await self.renew()
            served = self._known
        return served.get(str(name)) if name else next(iter(served.values()), None)

    async def prompt_tokens(
        self, fields: Mapping[str, Any], headers: Mapping[str, str]
    ) -> int | None:
        """Tokens of a chat prompt by vLLM's own /tokenize; None where that does not answer."""
        asked = {key: fields[key] for key in ("model", "messages", "tools") if key in fields}
        asked |= {key: fields[key] for key in _TEMPLATE_FIELDS if key in fields}
        status, answer = await self._tokenize(asked, headers)
        count = answer.get("count")
        return count if status == 200 and isinstance(count, int) else None

    async def takes_system(self, model: Model | None, headers: Mapping[str, str]) -> bool:
        """Does the model's chat template take a system message? Yes where nobody can tell."""
        if model is None:
            return True
        if model.id not in self._system:
            talk = [{"role": role, "content": "Hello"} for role in ("system", "user")]
            status, _ = await self._tokenize({"model": model.id, "messages": talk}, headers)
            if status not in (200, 400):
                return True
            self._system[model.id] = status == 200
        return self._system[model.id]

    async def _tokenize(
        self, asked: dict[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        url = self.upstream.base_url.removesuffix("/v1") + "/tokenize"
        sent = {"content-type": "application/json", **_auth(self.upstream, headers)}
        try:
            content = json.dumps(asked).encode()
            answer = await self.upstream.client.post(
                url, content=content, headers=sent, timeout=ASK_SECONDS
            )
            found = json.loads(answer.content)
        except Exception:  # noqa: BLE001 - a help that must not fail the request
            return 0, {}
        return answer.status_code, found if isinstance(found, dict) else {}


def _auth(upstream: Upstream, headers: Mapping[str, str]) -> dict[str, str]:
    if upstream.api_key:
        return {"authorization": f"Bearer {upstream.api_key}"}
    return {"authorization": headers["authorization"]} if "authorization" in headers else {}


def models_of(entries: Sequence[dict[str, Any]]) -> dict[str, Model]:
    """Models by id of the entries of /v1/models. An adapter has its base's window and tokenizer."""
    by_id = {str(entry.get("id")): entry for entry in entries}
    found = {}
    for id_, entry in by_id.items():
        base = by_id.get(str(entry.get("parent")), entry)
        window = entry.get("max_model_len") or base.get("max_model_len")
        root = base.get("root")
        found[id_] = Model(
            id_,
            root if isinstance(root, str) and root else id_,
            window if isinstance(window, int) and window > 0 else None,
        )
    return found


def count_tokens(model: Model | None) -> TokenCounter:
    """The counter of a model. It may load a tokenizer: call it in a thread."""
    return counter(model.root) if model else estimate


def plainly_fits(window: int, body_bytes: int, lore_bytes: int, answer: int | None) -> bool:
    """Does it fit even if every two bytes were a token? Then nothing need be counted."""
    need = min(ANSWER_TOKENS, window // 4) if answer is None else answer
    return (body_bytes + lore_bytes) // BYTES_PER_TOKEN + need + MARGIN <= window


def answer_tokens(fields: Mapping[str, Any]) -> int | None:
    """The longest answer that the client asks for, or None where it leaves that open."""
    asked = [fields.get(name) for name in ("max_completion_tokens", "max_tokens")]
    return next((n for n in asked if isinstance(n, int) and not isinstance(n, bool)), None)


def conversation_tokens(fields: Mapping[str, Any], count: TokenCounter) -> int:
    """Tokens of messages and tools with what a template adds: rather too many than too few."""
    total = MARGIN
    for message in fields.get("messages") or []:
        total += count(text_of(message.get("content"))) + PER_MESSAGE
        if calls := message.get("tool_calls"):
            total += count(json.dumps(calls))
    if tools := fields.get("tools"):
        total += int(1.5 * count(json.dumps(tools)))  # Llama 3's template indents them
    return total if is_exact(count) else int(1.25 * total)
