"""From a chat request to the request with canon in it, and what was found on the way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from ...errors import ToolkitError
from ...openai_api import last_user_index, prepend_text, text_of
from ..passages import Passage, Searcher, SearchRequest, fit_budget
from ..prompt import canon_block
from ..tokens import estimate
from .settings import ProxySettings, RagOptions


@dataclass(frozen=True)
class Injected:
    """The body to send on, the value of x-rag-status, the passages that were put in, a reason."""

    body: dict[str, Any]
    status: str
    passages: list[Passage] = field(default_factory=list)
    reason: str = ""


async def find(
    searcher: Searcher, query: str, options: RagOptions, settings: ProxySettings
) -> list[Passage]:
    """Passages within the budget; raises ToolkitError or TimeoutError where none can be had."""
    named = (options.collection,) if options.collection else ()
    request = SearchRequest(
        query, collections=named, as_of=options.as_of, pov=options.pov, top_k=options.top_k
    )
    async with asyncio.timeout(settings.retrieval_seconds):
        found = await asyncio.to_thread(searcher.search, request)
    budget = settings.budget_tokens if options.budget_tokens is None else options.budget_tokens
    return fit_budget(found.passages, budget, estimate)[0]


async def inject(
    searcher: Searcher, body: dict[str, Any], options: RagOptions, settings: ProxySettings
) -> Injected:
    """Put canon before the newest user message. Never fails: the request goes on without."""
    messages = body.get("messages")
    at = last_user_index(messages) if isinstance(messages, list) else None
    if not options.enabled or at is None or not isinstance(messages, list):
        return Injected(body, "disabled" if not options.enabled else "empty")
    try:
        passages = await find(searcher, text_of(messages[at].get("content")), options, settings)
    except TimeoutError:
        return Injected(body, "degraded", reason=f"no result in {settings.retrieval_seconds:g} s")
    except ToolkitError as error:
        return Injected(body, "degraded", reason=str(error))
    except Exception as error:  # noqa: BLE001 - the store's failure must not be the author's
        return Injected(body, "degraded", reason=f"{type(error).__name__}: {error}")
    if not passages:
        return Injected(body, "empty")
    told = [*messages]
    told[at] = prepend_text(messages[at], canon_block(passages))
    return Injected({**body, "messages": told}, "ok", passages)
