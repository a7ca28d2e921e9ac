"""From a chat request to the request with canon in it, and what was found on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import ToolkitError
from ...openai_api import Upstream, last_user_index, text_of
from ..prompt import always_block
from .body import ChatBody
from .fitting import SLACK, fitted
from .lookup import Canon, Lookup, rules_of, search_request
from .memory import Lore, Memory
from .options import RagOptions
from .transcript import SYSTEM_ROLES, footers, history, keys, user_turns
from .turn import Turn, lore_of, trim
from .window import Fitted, Models, answer_tokens, count_tokens
from .window import fit as window_fit
from .workers import Workers


@dataclass
class Injected:
    """What goes to the upstream and what is told of it.

    `status` is the value of x-rag-status; `sources` name the newest turn's lore, then the `always`
    notes; `trimmed` counts passages left out for the window; `max_tokens` is set where clamped.
    """

    content: bytes
    status: str
    reason: str = ""
    sources: list[dict[str, Any]] = field(default_factory=list)
    trimmed: int = 0
    max_tokens: int | None = None
    canon: Canon = field(default_factory=Canon)
    collections: tuple[str, ...] = ()
    filled: bool = False  # canon of whatever kind stands in the content


class Injector:
    """Puts canon into chat requests. `settings` come from the lookup; the state is the memory's."""

    def __init__(self, lookup: Lookup, upstream: Upstream) -> None:
        self.lookup = lookup
        self.settings = lookup.settings
        self.models = Models(upstream)
        self.memory = Memory(lookup.settings.state)
        self.workers = Workers()
        self._always: dict[str, Lore] = {}

    async def inject(
        self,
        body: ChatBody,
        options: RagOptions,
        headers: Mapping[str, str],
        remember: bool = True,
    ) -> Injected:
        """Give the newest turn its canon and the earlier ones what they had. Never fails.

        Without `remember` nothing is recorded, so that asking what would be sent changes nothing.
        """
        for message, part, text in footers(body.messages):
            body.set_text(message, text, part)
        newest = last_user_index(body.messages)
        if not options.enabled:
            return Injected(body.content, "disabled")
        if newest is None:
            return Injected(body.content, "empty")
        turn = self._turn(body, options, newest)
        turn.model = await self.models.of(body.fields)
        await self._search(turn)
        fit = await fitted(self.models, self.workers, turn, headers)
        trimmed = trim(turn, fit)
        if remember and self.settings.placement == "stable":
            self.memory.remember(turn.keys[-1], (*turn.earlier, turn.lore))
        await self._place(turn, headers)
        clamp(body, fit)
        return self._result(turn, trimmed, fit)

    async def without(
        self, body: ChatBody, options: RagOptions, headers: Mapping[str, str], refused: Injected
    ) -> Injected:
        """The request once more without canon: the upstream found it too long with canon.

        That happens where its window has changed or where images cost tokens that nobody counts.
        """
        body = body.again()
        for message, part, text in footers(body.messages):
            body.set_text(message, text, part)
        await self.models.renew()
        model = await self.models.of(body.fields)
        told = await self.models.prompt_tokens(body.told, headers)
        fit = Fitted()
        if model and model.window and told:
            answer = answer_tokens(body.fields)
            fit = window_fit(model.window, told + SLACK, [], [], 0, answer)
        clamp(body, fit)
        newest = last_user_index(body.messages)
        if self.settings.placement == "stable" and newest is not None:
            found = keys(body.messages, rules_of(options, self.settings))
            self.memory.remember(found[-1], (None,) * len(found))
        return Injected(
            body.content,
            "degraded",
            "with canon the prompt is longer than the model's window",
            trimmed=refused.trimmed + len(refused.sources),
            max_tokens=fit.max_tokens,
        )

    def _turn(self, body: ChatBody, options: RagOptions, newest: int) -> Turn:
        """Recall what the turns of a conversation were given."""
        if self.settings.placement != "stable":
            return Turn(body, options, newest, [], (), None, False)
        found = keys(body.messages, rules_of(options, self.settings))
        plan, known = self.memory.recall(found)
        return Turn(body, options, newest, found, plan[:-1], plan[-1], known)

    async def _search(self, turn: Turn) -> None:
        """Find canon for the newest turn; where that fails, `reason` tells why."""
        messages, options = turn.body.messages, turn.options
        request = search_request(
            text_of(messages[turn.newest].get("content")),
            history(messages[: turn.newest]),
            options,
        )
        given = frozenset(key for piece in turn.earlier if piece for key in piece.keys)
        request = replace(request, exclude=given)
        wanted = not (turn.known and turn.answering)
        rules = rules_of(options, self.settings)
        try:
            turn.canon = await self.workers.run(
                lambda: self.lookup.find(request, options, count_tokens(turn.model), wanted),
                self.settings.retrieval_seconds,
            )
            turn.always = lore_of(always_block(turn.canon.always), turn.canon.always)
            self._always.pop(rules, None)
            if turn.always:
                self._always[rules] = turn.always
            while len(self._always) > 100:
                del self._always[next(iter(self._always))]
            return
        except TimeoutError as error:
            turn.reason = str(error) or f"no result in {self.settings.retrieval_seconds:g} s"
        except ToolkitError as error:
            turn.reason = str(error)
        except Exception as error:  # noqa: BLE001 - the store's failure must not be the author's
            turn.reason = f"{type(error).__name__}: {error}"
        turn.always = self._always.get(rules)

    async def _place(self, turn: Turn, headers: Mapping[str, str]) -> None:
        """Write the blocks into the request's messages."""
        body, messages = turn.body, turn.body.messages
        users = user_turns(messages)
        blocks: dict[int, list[Lore | None]] = {i: [] for i in users}
        fixed: list[Lore | None] = [turn.always]
        if self.settings.placement == "stable":
            for i, piece in zip(users, (*turn.earlier, turn.lore), strict=True):
                blocks[i].append(piece)
        elif self.settings.placement == "tail":
            blocks[turn.newest], fixed = [turn.always, turn.lore], []
        else:
            fixed.append(turn.lore)
        text = _joined(fixed)
        if text and messages[0].get("role") in SYSTEM_ROLES:
            body.put_before(0, text)
        elif text and await self.models.takes_system(turn.model, headers):
            body.put_first({"role": "system", "content": text})
        elif text:
            blocks[users[0]] = [*fixed, *blocks[users[0]]]
        for i, pieces in blocks.items():
            if told := _joined(pieces):
                body.put_before(i, told)

    def _result(self, turn: Turn, trimmed: int, fit: Fitted) -> Injected:
        pieces = [turn.lore, turn.always]
        filled = any([*pieces, *turn.earlier])
        return Injected(
            turn.body.content,
            "degraded" if turn.reason else "ok" if filled else "empty",
            turn.reason,
            [source for piece in pieces if piece for source in piece.sources],
            trimmed,
            fit.max_tokens,
            turn.canon,
            turn.options.collections or (self.settings.collection,),
            filled,
        )


def clamp(body: ChatBody, fit: Fitted) -> None:
    """Shorten the answer that a request asks for, where it has to be."""
    for name in ("max_tokens", "max_completion_tokens"):
        asked = body.fields.get(name)
        if fit.max_tokens and isinstance(asked, int) and asked > fit.max_tokens:
            body.set_field(name, fit.max_tokens)


def _joined(pieces: Sequence[Lore | None]) -> str:
    return "\n\n".join(piece.text for piece in pieces if piece)
