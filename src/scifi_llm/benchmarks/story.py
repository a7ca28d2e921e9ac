# ruff: noqa: E501  # a table of facts
"""A long story in chapters, facts planted in it at known depths, and questions about them.

The facts are stated once, in a chapter's instructions, and asked for later in other words (NoLiMa,
Modarressi et al. 2025: literal overlap makes recall look better than it is).
"""

from __future__ import annotations

from dataclasses import dataclass

from .facts.fact import Fact
from .facts.model import parse

DEPTHS = (2000, 5000, 10000, 20000)  # words between the facts and the question
SYSTEM = (
    "You are writing one long science-fiction novel, chapter by chapter. Keep every fact that was "
    "established. Write continuous prose."
)
OUTLINE = (
    "the ship leaves the station", "a fault in the drive", "the first night watch",
    "a quarrel over the charts", "the message from home", "the empty harbour", "the old instruments",
    "the storm in the ring", "a bargain at the market", "the stowaway", "the long silence",
    "the repair outside the hull", "the feast", "the lost shuttle", "the inspection",
    "the second message", "the vote", "the descent", "what was under the ice", "the return",
)  # fmt: skip


@dataclass(frozen=True)
class Plant:
    """A fact as it is planted, and the question that asks for it in other words."""

    fact: Fact
    sentence: str
    question: str


_PLANTS = (
    ({"id": "eyes", "subject": "Elena Ruhl", "attribute": "eye colour", "value": "grey", "gender": "f"},
     "Elena Ruhl, the sounder, has grey eyes.",
     "Somebody meets Elena Ruhl's gaze for the first time. Which colour does he see there?"),
    ({"id": "age", "subject": "Elena Ruhl", "attribute": "age", "value": "34", "gender": "f"},
     "Elena Ruhl is thirty-four years old.",
     "How many years has Elena Ruhl lived when the story opens?"),
    ({"id": "born", "subject": "Elena Ruhl", "attribute": "birthplace", "value": "Brinehall", "gender": "f"},
     "Elena Ruhl was born in Brinehall, the mining town under the ice.",
     "In which town did Elena Ruhl's mother bring her into the world?"),
    ({"id": "brother", "subject": "Anselm Ruhl", "attribute": "relation", "value": "brother of Elena Ruhl", "gender": "m"},
     "Anselm Ruhl is Elena's younger brother.",
     "What is Anselm Ruhl to Elena?"),
    ({"id": "rank", "subject": "Marcus Holt", "attribute": "job", "value": "quartermaster", "gender": "m"},
     "Marcus Holt is the quartermaster of the ship.",
     "What work does Marcus Holt do on board?"),
    ({"id": "drums", "subject": "the survey ship", "attribute": "name", "value": "Patient Argument"},
     "The survey ship is called the Patient Argument.",
     "Which words are painted on the bow of the survey ship?"),
    ({"id": "crew", "subject": "Patient Argument", "attribute": "crew", "value": "41"},
     "The Patient Argument carries a crew of forty-one.",
     "How many people have to be fed aboard the Patient Argument?"),
    ({"id": "captain", "subject": "Ishbel Ågren", "attribute": "hair", "value": "white hair", "gender": "f"},
     "Captain Ishbel Ågren has white hair, cut short.",
     "What would a painter need for the head of Ishbel Ågren: which colour for her hair?"),
)  # fmt: skip


def plants() -> list[Plant]:
    """The facts of the example world that are planted."""
    facts = parse([entry for entry, _, _ in _PLANTS])
    return [Plant(f, s, q) for f, (_, s, q) in zip(facts, _PLANTS, strict=True)]


def own_plants(facts: list[Fact]) -> list[Plant]:
    """Plants of the author's own facts (--facts): stated plainly, asked for by their attribute."""
    return [
        Plant(
            fact,
            f"{fact.subject}: {fact.attribute} is {fact.value}.",
            f"Tell me about {fact.subject}: what is known of {fact.attribute or 'them'}?",
        )
        for fact in facts
    ]


def _request(number: int) -> str:
    return f"Write chapter {number}: {OUTLINE[(number - 1) % len(OUTLINE)]}."


def chapter_messages(
    number: int, written: list[str], planted: list[str], words: int, keep_words: int
) -> list[dict[str, str]]:
    """The chat that asks for a chapter; the story so far as the assistant's own turns.

    Only the last `keep_words` words of the story are sent where the window is smaller.
    """
    facts = f" Establish in passing: {' '.join(planted)}" if planted else ""
    ask = f"{_request(number)}{facts} About {words} words."
    turns = [{"role": "system", "content": SYSTEM}]
    kept: list[int] = []
    total = 0
    for i in range(len(written) - 1, -1, -1):
        total += len(written[i].split())
        if total > keep_words:
            break
        kept.insert(0, i)
    for i in kept:
        turns += [
            {"role": "user", "content": _request(i + 1)},
            {"role": "assistant", "content": written[i]},
        ]
    return [*turns, {"role": "user", "content": ask}]


def question_messages(story: str, question: str) -> list[dict[str, str]]:
    """The chat that asks about the story."""
    return [
        {"role": "system", "content": "Answer from the story alone, in one full sentence."},
        {"role": "user", "content": f"{story}\n\n---\n\nA question about this story: {question}"},
    ]


def last_words(text: str, words: int) -> str:
    """The last so many words of a text, from a word's beginning."""
    parts = text.split(" ")
    return " ".join(parts[-words:])
