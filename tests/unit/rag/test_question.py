"""What is searched for: the newest message with the turns before it."""

from __future__ import annotations

from scifi_llm.rag.question import (
    ASSISTANT_MEANING,
    ASSISTANT_TURNS,
    LONGEST_TURN,
    USER_TURNS,
    content,
    question,
)

HISTORY = [
    ("user", "Oldest?"), ("assistant", "A0."),
    ("user", "Who is Elena?"), ("assistant", "A pilot."),
    ("system", "You are kind."),
    ("user", "Where is she from?"), ("assistant", "x" * 5000), ("user", "  "),
]  # fmt: skip


def test_earlier_turns_weigh_less_the_older_they_are() -> None:
    asked = question("And her brother?", HISTORY)
    users = (("Where is she from?", USER_TURNS[0]), ("Who is Elena?", USER_TURNS[1]))
    assert asked.text == "And her brother?"
    half = ASSISTANT_MEANING
    assert asked.meaning == (
        ("And her brother?", 1.0),
        *users,
        ("x" * LONGEST_TURN, ASSISTANT_TURNS[0] * half),
        ("A pilot.", ASSISTANT_TURNS[1] * half),
    )
    assert asked.words == (
        ("And her brother?", 1.0),
        *users,
        ("x" * LONGEST_TURN, ASSISTANT_TURNS[0]),
        ("A pilot.", ASSISTANT_TURNS[1]),
    )


def test_a_first_message_stands_alone() -> None:
    asked = question("Who is Elena?")
    assert asked.words == asked.meaning == (("Who is Elena?", 1.0),)


def test_function_words_are_left_out_unless_nothing_else_is_there() -> None:
    assert content("What is the name of the ship?") == "name ship"
    assert content("Who are you?") == "who are you"
