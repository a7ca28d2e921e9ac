"""A piece of a chapter as a line of a JSONL file: raw, instruction or chat. Pure.

Every record has `text`, the author's own words, and `tokens`, their count; `eos`: the text really
ends there (a chapter's end; for a scene that was asked for, the scene's end), so that a model which
sees it may learn to stop. What the toolkit adds stands apart: `prompt`, `prompt_tokens`.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

from .counting import TokenCounter
from .cutting import Piece

FORMS = ("raw", "instruction", "chat")
Record = dict[str, Any]
_REQUESTS = (
    "Write {what} of {where}.",
    "Draft {what} of {where}.",
    "I need {what} of {where}.",
)
_SPOKEN = re.compile(r"[\"“«][^\"”»]*[\"”»]")
_FIRST_PERSON = re.compile(r"\b(?:I|me|my|mine|myself)\b")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})?")
_PERSON_SHARE = 0.015  # more of the narration than this is "I", "me", "my": first person


def record(piece: Piece, form: str, counter: TokenCounter, seed: int) -> Record:
    """The record of a piece in a form of FORMS."""
    text = piece.text
    start, end = piece.span
    made: Record = {
        "text": text,
        "tokens": counter.count(text),
        "eos": piece.chapter_end or (form != "raw" and piece.scene_end),
        "source": piece.chapter.source,
        "book": piece.chapter.book,
        "chapter": piece.chapter.heading,
        "part": f"{piece.number}/{piece.count}",
        "start": start,
        "end": end,
    }
    if form == "raw":
        return made
    prompt = request(piece, seed)
    made |= {"prompt": prompt, "prompt_tokens": counter.count(prompt)}
    if form == "chat":
        made["messages"] = [
            {"role": "user", "content": prompt},
            {"role": "assistant", "content": text},
        ]
    return made


def request(piece: Piece, seed: int) -> str:
    """What an author would type to get this piece, made by rule from what is known of it."""
    pick = random.Random(f"{seed} {piece.chapter.source} {piece.span}")
    chapter = piece.chapter
    where = (
        f'the chapter "{chapter.heading}" of "{chapter.book}"'
        if chapter.heading
        else f'"{chapter.book}"'
    )
    text = piece.text
    words = len(text.split())
    about = max(50, round(words, -2 if words >= 300 else -1))
    sentence = pick.choice(_REQUESTS).format(what=_what(piece), where=where)
    details = [
        f"About {about} words",
        "first person" if _first_person(text) else "third person",
        _talk(text),
    ]
    names = _names(text)
    line = ", ".join(details) + "."
    return f"{sentence} {line}" + (f" In it: {', '.join(names)}." if names else "")


def _what(piece: Piece) -> str:
    if piece.count == 1:
        return "the whole text"
    if piece.number == 1:
        return "the opening"
    if piece.chapter_end:
        return "the end"
    return (
        "a scene from the middle"
        if piece.scene_start and piece.scene_end
        else "a passage from the middle"
    )


def _first_person(text: str) -> bool:
    narration = _SPOKEN.sub(" ", text)
    return len(_FIRST_PERSON.findall(narration)) > _PERSON_SHARE * len(narration.split())


def _talk(text: str) -> str:
    spoken = sum(len(match.split()) for match in _SPOKEN.findall(text))
    share = spoken / max(1, len(text.split()))
    if share > 0.5:
        return "mostly dialogue"
    return "narration with some dialogue" if share > 0.1 else "narration"


def _names(text: str) -> list[str]:
    """Up to three names, the most frequent first: capitalised inside sentences at least twice."""
    counts = Counter(_NAME.findall(text))
    return [
        name
        for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]
        if count > 1
    ]
