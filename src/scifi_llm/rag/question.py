"""What is searched for: the newest message, leaning on the turns before it. Pure.

A follow-up ("And his brother?") names little by itself. Earlier turns are part of every question,
with weights that fall with distance, so that their names and topics decide where the newest message
is silent and hardly count where it speaks for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .lexical import words

# Newest turn first. What the model answered counts less than what the author asked, and for the
# meaning half of that again: its length would drown the question, and it may be wrong.
USER_TURNS = (0.4, 0.2)
ASSISTANT_TURNS = (0.3, 0.15)
ASSISTANT_MEANING = 0.5
LONGEST_TURN = 2000  # characters of an earlier turn: a pasted chapter is no topic
FUNCTION_WORDS = frozenset(
    word
    for line in (
        "a about am an and any are as at be been being but by can could did do does for from had",
        "has have he her hers him his how i if in into is it its just me mine my no not of on or",
        "our ours she so some such than that the their theirs them then there these they this",
        "those to too us very was we were what when where which who whom whose why will with",
        "would you your yours",
    )
    for word in line.split()
)


@dataclass(frozen=True)
class Question:
    """Texts and their weights, the newest message first with weight 1.

    `words` are for BM25 and names, `meaning` for the embedding model.
    """

    text: str
    words: tuple[tuple[str, float], ...]
    meaning: tuple[tuple[str, float], ...]


def question(query: str, history: Sequence[tuple[str, str]] = ()) -> Question:
    """The question of a message and the (role, text) turns before it, oldest first."""
    users = tuple(_weighted(history, "user", USER_TURNS))
    assistants = tuple(_weighted(history, "assistant", ASSISTANT_TURNS))
    own = (query, 1.0)
    less = ((text, weight * ASSISTANT_MEANING) for text, weight in assistants)
    return Question(query, (own, *users, *assistants), (own, *users, *less))


def content(text: str) -> str:
    """`text` without function words, folded; all of it where nothing else is left."""
    every = words(text)
    return " ".join([word for word in every if word not in FUNCTION_WORDS] or every)


def _weighted(
    history: Sequence[tuple[str, str]], role: str, weights: Sequence[float]
) -> Iterator[tuple[str, float]]:
    turns = (text for who, text in reversed(history) if who == role and text.strip())
    for weight, text in zip(weights, turns, strict=False):
        yield text[:LONGEST_TURN], weight
