"""Hold a story against facts: kept, contradicted with the quoted sentence, or not mentioned."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .entities import Sentence
from .fact import Fact
from .mentions import Story
from .numbers import digits
from .rules import PAST, TIMED, denied, said, unreal

KEPT, CONTRADICTED, ABSENT = "kept", "contradicted", "not mentioned"
OPEN = re.compile(r"§[op]'s|\b(?:to|every|for|of|with|at|by|than|like|met|saw)\b")
# What comes after it is no statement; what stands before it is one.
COMPARED = re.compile(r",? as (?:if|though)\b.*$", re.IGNORECASE | re.DOTALL)
QUOTES = 3  # sentences that are quoted for each fact


def check(story: str, facts: Sequence[Fact]) -> list[dict[str, Any]]:
    """One row a fact: id, verdict, the evidence against it and the evidence for it."""
    read = Story(story, facts)
    return [_row(fact, read) for fact in facts]


def _row(fact: Fact, story: Story) -> dict[str, Any]:
    against: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    for sentence in story.sentences:
        for found, agrees in _findings(fact, story, sentence):
            quote = {"sentence": sentence.text, "found": found, "word": sentence.words_before}
            (kept if agrees else against).append(quote)
    if fact.kind == "status" and fact.group == "dead" and kept:
        # Who dies in the story lived before: only what comes after its first word of it counts.
        against = [quote for quote in against if quote["word"] >= kept[0]["word"]]
    verdict = CONTRADICTED if against else KEPT if kept else ABSENT
    return {
        "id": fact.id,
        "subject": fact.extra.get("subject", fact.subject),
        "attribute": fact.attribute,
        "value": fact.extra.get("value", fact.value),
        "kind": fact.kind,
        "verdict": verdict,
        "quote": against[0]["sentence"] if against else None,
        "evidence": against[:QUOTES],
        "kept_evidence": kept[:QUOTES],
        "mentions": len(against) + len(kept),
    }


def _findings(fact: Fact, story: Story, sentence: Sentence) -> list[tuple[str, bool]]:
    text = _tagged(fact, story, sentence)
    if "§s" not in text and "§y" not in text:
        return []
    text = COMPARED.sub("", digits(text))
    doubtful = unreal(text) or (fact.kind in TIMED and bool(PAST.search(text)))
    found = [(words, right) for words, right in said(fact, text) if right or not doubtful]
    if not doubtful:
        found += [(w, False) for w in _named_wrong(fact, text)]
    # A sentence that says both ("brown, not grey") was read by both rules: the denial decides.
    return found


def _named_wrong(fact: Fact, text: str) -> list[str]:
    """Contradictions that the fact itself lists, said of the subject and not denied."""
    nouns = [*fact.nouns, *(w for w in re.findall(r"[a-z]{4,}", fact.attribute.lower()))]
    hits = []
    for wrong in fact.contradictions:
        words = re.escape(digits(wrong)).replace(r"\ ", r"\s+")
        found = re.search(rf"§s(?P<m>[^.;!?]{{0,80}}?)\b{words}\b", text, re.IGNORECASE)
        if not found or denied(found["m"]) or re.search(OPEN, found["m"]):
            continue
        near = fact.kind in ("other", "name", "place", "rank", "status") or any(
            re.search(rf"\b{re.escape(noun.rstrip('s'))}", text, re.IGNORECASE) for noun in nouns
        )
        if near:
            hits.append(wrong)
    return hits


def _tagged(fact: Fact, story: Story, sentence: Sentence) -> str:
    other = fact.other if fact.kind == "relation" else ""
    text = story.tagged(sentence, fact.subject, other)
    if fact.kind in ("date", "order") and "§s" not in text:
        text = _tag_event(text, [fact.subject, *fact.aliases], "§s")
    if fact.kind == "order":
        text = _tag_event(text, [fact.other], "§y")
    return text


def _tag_event(text: str, names: Sequence[str], tag: str) -> str:
    """Mark an event where all its content words stand near each other."""
    for name in names:
        words = [
            w for w in re.findall(r"[\w'’-]{3,}", name) if w.lower() not in ("the", "and", "for")
        ]
        spots = [
            re.search(rf"\b{re.escape(w[: max(4, len(w) - 2)])}\w*", text, re.IGNORECASE)
            for w in words
        ]
        hits = [spot for spot in spots if spot]
        if words and len(hits) == len(words):
            start, end = min(h.start() for h in hits), max(h.end() for h in hits)
            if end - start <= 20 + 2 * len(name):
                return text[:start] + tag + text[end:]
    return text
