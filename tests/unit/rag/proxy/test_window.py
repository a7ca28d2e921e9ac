"""Fitting by numbers: what gives way first, and that it fits whenever the conversation does."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.rag.proxy.window import (
    ANSWER_TOKENS,
    LEAST_LORE,
    Fitted,
    Model,
    answer_tokens,
    conversation_tokens,
    fit,
    models_of,
    plainly_fits,
)
from scifi_llm.rag.tokens import estimate

sizes = st.lists(st.integers(0, 3000), max_size=8)


@pytest.mark.parametrize(
    ("conversation", "old", "new", "always", "answer", "expected"),
    [
        (1000, [500, 500], [500], 500, 1000, Fitted()),
        (1000, [500, 500], [500], 500, None, Fitted()),
        # Lore gives way before the answer, the oldest first, down to half of the room at once.
        (4000, [900, 900, 900], [500], 500, 1000, Fitted(old=3)),
        (2000, [1500, 1500, 500], [500], 500, 2000, Fitted(old=2)),
        # Then the newest turn's last passages, then the notes that are always given.
        (6000, [900], [500, 500, 400], 400, 1000, Fitted(old=1, new=2)),
        (7000, [], [500, 500], 400, 1000, Fitted(new=2, always=True)),
        # An answer as long as the window leaves an eighth of it to lore and is clamped.
        (2000, [900, 900], [500, 500], 500, 8192, Fitted(old=2, new=1, max_tokens=5192)),
        (38, [], [500, 500], 0, 8000, Fitted(max_tokens=7154)),
        (8000, [100], [100], 0, 4000, Fitted(old=1, new=1, max_tokens=192)),
        # What does not fit by itself is the upstream's to refuse.
        (8192, [], [100], 0, 100, Fitted(new=1)),
        (9000, [], [], 0, 100, Fitted()),
        (9000, [10], [10], 10, None, Fitted(old=1, new=1, always=True)),
    ],
)
def test_by_value(
    conversation: int,
    old: list[int],
    new: list[int],
    always: int,
    answer: int | None,
    expected: Fitted,
) -> None:
    assert fit(8192, conversation, old, new, always, answer) == expected


@given(
    st.integers(64, 16384),
    st.integers(0, 20000),
    sizes,
    sizes,
    st.integers(0, 2000),
    st.none() | st.integers(1, 20000),
)
def test_it_fits_whenever_the_conversation_does(
    window: int, conversation: int, old: list[int], new: list[int], always: int, answer: int | None
) -> None:
    done = fit(window, conversation, old, new, always, answer)
    lore = sum(old[done.old :]) + sum(new[: len(new) - done.new]) + always * (not done.always)
    if conversation < window:
        assert conversation + lore + (done.max_tokens or answer or 1) <= window
    else:
        assert lore == 0
        assert done.max_tokens is None
    if done.max_tokens and answer is not None:
        assert 1 <= done.max_tokens < answer
        # It is clamped only where that cannot be helped, or for an eighth of lore.
        assert conversation + answer > window or lore <= window // LEAST_LORE


@given(st.lists(st.integers(1, 400), min_size=30, max_size=60))
def test_a_growing_session_drops_lore_in_few_steps(turns: list[int]) -> None:
    """What is dropped stays dropped, and a step makes room for several turns."""
    lore: list[int] = []
    conversation, steps = 300, []
    for turn, size in enumerate(turns):
        conversation += 100
        done = fit(16384, conversation, lore, [size], 500, 1000)
        if done.old:
            assert done.new == 0
            steps.append(turn)
            lore[: done.old] = [0] * done.old
        lore.append(size)
    # After a step half of the room is free, and no turn takes more than 500 of it.
    assert all(later - earlier >= 3 for earlier, later in pairwise(steps))


def test_models_and_adapters() -> None:
    found = models_of(
        [
            {"id": "base", "root": "/models/base", "max_model_len": 8192},
            {"id": "style", "root": "/adapters/style", "parent": "base", "max_model_len": None},
            {"id": "other", "root": None, "max_model_len": "many"},
        ]
    )
    assert found == {
        "base": Model("base", "/models/base", 8192),
        "style": Model("style", "/models/base", 8192),
        "other": Model("other", "other", None),
    }


def test_short_requests_are_not_counted() -> None:
    assert plainly_fits(8192, 8000, 4000, 1000)
    assert not plainly_fits(8192, 8000, 8000, 1000)
    assert not plainly_fits(8192, 100, 100, 8100)


def test_what_an_answer_may_take() -> None:
    assert answer_tokens({"max_tokens": 5}) == 5
    assert answer_tokens({"max_tokens": 5, "max_completion_tokens": 7}) == 7
    assert answer_tokens({"max_tokens": None}) is None
    assert answer_tokens({"max_tokens": True}) is None
    assert answer_tokens({}) is None
    assert ANSWER_TOKENS == 1024


def test_conversations_are_counted_with_tools_and_templates() -> None:
    message = {"role": "user", "content": "x" * 400}
    alone = conversation_tokens({"messages": [message]}, estimate)
    assert 101 < alone < 250
    assert conversation_tokens({"messages": [message] * 3}, estimate) > 2 * alone
    tools = [{"type": "function", "function": {"description": "y" * 4000}}]
    assert conversation_tokens({"messages": [message], "tools": tools}, estimate) > alone + 1500
