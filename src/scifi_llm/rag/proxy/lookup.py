"""Searching for one request: what the rules show, within the budgets, counted in tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...console import log_warn
from ..passages import Dropped, Passage, Searcher, SearchRequest, fit_budget
from ..tokens import TokenCounter
from .options import RagOptions
from .settings import ProxySettings


@dataclass
class Canon:
    """What was found for a request: `always` in fixed order, `passages` best first."""

    query: str = ""
    always: list[Passage] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)


def clean(text: str) -> str:
    """Text without the half surrogate pairs that JSON may hold and no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


def search_request(
    query: str, history: Sequence[tuple[str, str]], options: RagOptions
) -> SearchRequest:
    """The request to the retriever."""
    return SearchRequest(
        clean(query),
        history=tuple((role, clean(text)) for role, text in history),
        collections=options.collections,
        as_of=options.as_of,
        pov=options.pov,
        top_k=options.top_k,
    )


def rules_of(options: RagOptions, settings: ProxySettings) -> str:
    """What decides which canon may be shown: requests with equal rules may share what they got."""
    names = options.collections or (settings.collection,)
    pov = options.pov.strip().casefold() if options.pov is not None else None
    return json.dumps([names, options.as_of, pov])


class Lookup:
    """Finds canon for requests; it blocks, so call it in a thread."""

    def __init__(self, searcher: Searcher, settings: ProxySettings) -> None:
        self.searcher = searcher
        self.settings = settings
        self._warned = False

    def budget(self, options: RagOptions) -> int:
        """Tokens of lore that the newest turn may have."""
        asked = options.budget_tokens
        return self.settings.budget_tokens if asked is None else asked

    def always(
        self, request: SearchRequest, count: TokenCounter
    ) -> tuple[list[Passage], list[Dropped]]:
        """The notes marked `always`, whole and in order, as many as their budget takes."""
        notes = self.searcher.always(request)
        kept, dropped = fit_notes(notes, self.settings.always_tokens, count)
        if dropped and not self._warned:
            self._warned = True
            paths = ", ".join(dict.fromkeys(d.passage.chunk.note.path for d in dropped))
            log_warn(
                f"Notes marked 'always' exceed ALWAYS_BUDGET_TOKENS={self.settings.always_tokens}; "
                f"left out: {paths}. Shorten them or raise it."
            )
        return kept, dropped

    def find(
        self,
        request: SearchRequest,
        options: RagOptions,
        count: TokenCounter,
        wanted: bool = True,
    ) -> Canon:
        """Everything for one request; without `wanted` the `always` notes alone.

        Passages that are given always are not found a second time. Raises ToolkitError where
        collection or model cannot be had.
        """
        canon = Canon(request.query)
        canon.always, canon.dropped = self.always(request, count)
        if not wanted:
            return canon
        given = frozenset[str]().union(*(passage.keys for passage in canon.always))
        found = self.search(replace(request, exclude=request.exclude | given), options, count)
        canon.query, canon.passages = found.query, found.passages
        canon.dropped += found.dropped
        return canon

    def search(self, request: SearchRequest, options: RagOptions, count: TokenCounter) -> Canon:
        """The passages of a question within their budget, best first."""
        found = self.searcher.search(request)
        kept, too_long = fit_budget(found.passages, self.budget(options), count)
        return Canon(found.query, [], kept, [*too_long, *found.dropped])


def fit_notes(
    passages: Sequence[Passage], budget: int, count: TokenCounter
) -> tuple[list[Passage], list[Dropped]]:
    """Whole notes in their order while their tokens stay within `budget`, and the rest. Pure."""
    kept: list[Passage] = []
    dropped: list[Dropped] = []
    used = 0
    notes: dict[tuple[str, str], list[Passage]] = {}
    for passage in passages:
        notes.setdefault((passage.collection, passage.chunk.note.path), []).append(passage)
    for note in notes.values():
        cost = sum(count(passage.told) for passage in note)
        if used + cost <= budget:
            used += cost
            kept += note
        else:
            reason = f"always: the note has {cost} tokens, {budget - used} of {budget} were left"
            dropped += [Dropped(passage, reason) for passage in note]
    return kept, dropped


def described(passage: Passage, count: TokenCounter) -> dict[str, Any]:
    """A passage for /rag/explain."""
    return {
        **passage.result(),
        "collection": passage.collection,
        "tokens": count(passage.told),
        "routes": dict(passage.routes),
    }
