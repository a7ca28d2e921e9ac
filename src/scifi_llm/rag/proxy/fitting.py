"""Measuring a request against the window of its model, no more exactly than is needed."""

from __future__ import annotations

from collections.abc import Mapping

from ..tokens import is_exact
from .turn import Turn
from .window import (
    ASK_SECONDS,
    Fitted,
    Models,
    answer_tokens,
    conversation_tokens,
    count_tokens,
    fit,
    plainly_fits,
)
from .workers import Workers

AROUND_BLOCK = 56  # the introduction and tags of a block
AROUND_PASSAGE = 16
SLACK = 16  # tokens at the seams


async def fitted(
    models: Models, workers: Workers, turn: Turn, headers: Mapping[str, str]
) -> Fitted:
    """What has to be left out of a turn, and how long its answer may be.

    A short conversation is not counted at all; a longer one by the model's tokenizer, where that is
    on this machine; and where it gets tight vLLM itself is asked how long it is.
    """
    if turn.model is None or turn.model.window is None:
        return Fitted()
    model, window, answer = turn.model, turn.model.window, answer_tokens(turn.body.fields)
    pieces = [piece for piece in (*turn.earlier, turn.lore, turn.always) if piece]
    size = sum(len(piece.text.encode("utf-8", "replace")) for piece in pieces)
    if plainly_fits(window, len(turn.body.raw), size, answer):
        return Fitted()

    def measure() -> tuple[int, list[int], list[int], int, bool]:
        count = count_tokens(model)
        old = [count(piece.text) if piece else 0 for piece in turn.earlier]
        if turn.replayed:
            new = [count(turn.given.text)] if turn.given else []
        else:
            new = [count(passage.told) + AROUND_PASSAGE for passage in turn.canon.passages]
            new[:1] = [cost + AROUND_BLOCK for cost in new[:1]]
        always = count(turn.always.text) if turn.always else 0
        return conversation_tokens(turn.body.told, count), old, new, always, is_exact(count)

    try:
        conversation, old, new, always, exact = await workers.run(measure, ASK_SECONDS)
    except TimeoutError:
        return Fitted()
    found = fit(window, conversation, old, new, always, answer)
    if exact and found == Fitted():
        return found
    told = await models.prompt_tokens(turn.body.told, headers)
    return found if told is None else fit(window, told + SLACK, old, new, always, answer)
