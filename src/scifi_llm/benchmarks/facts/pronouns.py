"""Who is meant by a pronoun, or by a name that several share.

Cautious on purpose: a pronoun that two people could be is left open, because an accusation of the
wrong person is worse than a missed one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set

from .entities import NOT_OWNED, PRONOUNS, RANKED, SAYING, Entity, Sentence, Span, quoted

TELLING = r"\b(?:told|asked|reminded|warned|assured) $"
BACK = 3  # sentences that a pronoun looks back


class Resolver:
    """Settles the mentions of a story, from its first sentence to its last.

    `ranked` are the people of whom a fact tells the rank.
    """

    def __init__(self, entities: Mapping[str, Entity], ranked: Set[str]) -> None:
        self.entities = entities
        self.ranked = ranked

    def resolve(self, sentences: Sequence[Sentence]) -> None:
        """Give every name of several owners, and every pronoun, the one who is meant."""
        history: list[tuple[Sentence, list[Span]]] = []
        speakers: dict[int, str] = {}
        for sentence in sentences:
            spans = [self._settle(span, sentence, history) for span in sentence.spans]
            sentence.spans = sorted(self._pronouns(sentence, spans, history), key=lambda s: s.start)
            self._note_speaker(sentence, speakers)
            history.append((sentence, [s for s in sentence.spans if s.entity and not s.quoted]))
        opened: dict[int, str] = {}
        for sentence in sentences:
            state = opened.get(sentence.paragraph, "")
            self._first_and_second(sentence, speakers.get(sentence.paragraph, ""), state)
            opened[sentence.paragraph] = state + sentence.text

    def _settle(
        self, span: Span, sentence: Sentence, history: list[tuple[Sentence, list[Span]]]
    ) -> Span:
        """A name that several share means the one of them that was named last."""
        if not span.entity.startswith("?"):
            return span
        keys = set(span.entity[1:].split("|"))
        ranked = keys & self.ranked
        if len(ranked) == 1 and RANKED.search(sentence.text[: span.start]):
            return Span(span.start, span.end, ranked.pop(), span.possessive, False, span.quoted)
        for _, spans in reversed(history[-30:]):
            for earlier in spans:
                if earlier.entity in keys:
                    return Span(
                        span.start, span.end, earlier.entity, span.possessive, False, span.quoted
                    )
        return Span(span.start, span.end, "", span.possessive, False, span.quoted)

    def _pronouns(
        self, sentence: Sentence, spans: list[Span], history: list[tuple[Sentence, list[Span]]]
    ) -> list[Span]:
        found = list(spans)
        for word in re.finditer(
            r"\b(he|him|his|himself|she|her|hers|herself|its|it)\b", sentence.text, re.I
        ):
            gender = PRONOUNS[word[1].lower()]
            earlier = [s for s in found if s.end <= word.start() and s.entity and not s.quoted]
            inside = quoted(sentence.text, word.start())
            key = "" if inside else self._choose(gender, earlier, word.start(), sentence, history)
            after = sentence.text[word.end() :]
            owner = word[1].lower() in ("his", "its") or (
                word[1].lower() == "her"
                and bool(re.match(r" [a-z][\w-]+", after))
                and not NOT_OWNED.match(after)
            )
            found.append(Span(word.start(), word.end(), key, owner, True, inside))
            found.sort(key=lambda s: s.start)
        return found

    def _choose(
        self, gender: str, earlier: list[Span], at: int, sentence: Sentence,
        history: list[tuple[Sentence, list[Span]]],
    ) -> str:  # fmt: skip
        rows = [earlier] + [
            spans for old, spans in reversed(history[-BACK:]) if old.scene == sentence.scene
        ]
        for place, row in enumerate(rows):
            keys = list(dict.fromkeys(s.entity for s in row if self._fits(s.entity, gender)))
            sure = [k for k in keys if self.entities[k].gender == gender]
            keys = sure or keys
            if len(keys) == 1:
                return keys[0]
            if keys:
                # Two could be meant: who the sentence before begins with, where this one begins so.
                opening = not sentence.text[:at].strip('"“ ')
                return keys[0] if place == 1 and opening and _begins(row, keys[0]) else ""
        return ""

    def _fits(self, key: str, gender: str) -> bool:
        entity = self.entities[key]
        if gender == "n":
            return entity.subject and not entity.person and entity.gender in ("", "n")
        return (
            entity.gender in ("", gender)
            and (entity.person or entity.subject)
            and entity.gender != "n"
        )

    def _note_speaker(self, sentence: Sentence, speakers: dict[int, str]) -> None:
        if sentence.paragraph in speakers or not any(s.entity for s in sentence.spans):
            return
        for span in sentence.spans:
            if span.quoted or not span.entity or span.possessive:
                continue
            before, after = sentence.text[: span.start], sentence.text[span.end :]
            if re.match(rf" (?:\w+ly )?{SAYING}\b", after) or re.search(rf"\b{SAYING} $", before):
                speakers[sentence.paragraph] = span.entity
                return
        if re.search('["“”]', sentence.text):
            people = list(
                dict.fromkeys(s.entity for s in sentence.spans if s.entity and not s.quoted)
            )
            if len(people) == 1:
                speakers[sentence.paragraph] = people[0]

    def _first_and_second(self, sentence: Sentence, speaker: str, state: str) -> None:
        narrator = next(
            (e.key for e in self.entities.values() if {"I", "narrator"} & set(e.names)), ""
        )
        named = [s for s in sentence.spans if s.entity and s.quoted and not s.pronoun]
        called = [s for s in named if re.match(r"\s*[,.!?;]", sentence.text[s.end :])
                  and re.search(r"(?:^|[,\"“.!?]\s*)$", sentence.text[: s.start])]  # fmt: skip
        called += [s for s in sentence.spans if s.entity and not s.quoted and not s.possessive
                   and re.search(TELLING, sentence.text[: s.start])]  # fmt: skip
        taken = {s.start for s in sentence.spans}
        for word in re.finditer(r"\b(I|[Mm]y|[Mm]e|[Yy]ou|[Yy]our)\b", sentence.text):
            if word.start() in taken:
                continue
            inside = quoted(sentence.text, word.start(), state)
            if word[1].lower() in ("you", "your"):
                key = called[0].entity if inside and called else ""
            else:
                key = speaker if inside else narrator
            owner = word[1].lower() in ("my", "your")
            sentence.spans.append(Span(word.start(), word.end(), key, owner, True, inside))
        sentence.spans.sort(key=lambda s: s.start)


def _begins(row: list[Span], key: str) -> bool:
    """Is it the first that a sentence names, and not one of a pair (Mara and Ilse)?"""
    paired = len(row) > 1 and row[1].start - row[0].end == len(" and ")
    return bool(row) and row[0].entity == key and not paired
