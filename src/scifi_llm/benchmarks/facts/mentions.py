"""Who is meant: names, aliases and pronouns of a story, sentence by sentence.

Cautious on purpose: a pronoun that two people could be is left open, because an accusation of the
wrong person is worse than a missed one.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from .entities import (
    ACTING,
    CAPITAL,
    FEMALE_END,
    FEMALE_TITLE,
    MALE_TITLE,
    NOT_OWNED,
    PRONOUNS,
    RANKED,
    SAYING,
    STOP_NAMES,
    TITLES,
    Entity,
    Sentence,
    Span,
    name_forms,
    quoted,
    sentences_of,
)
from .fact import Fact

THINGS = ("location", "date", "measure", "label", "order")
TELLING = r"\b(?:told|asked|reminded|warned|assured) $"
BACK = 3  # sentences that a pronoun looks back


class Story:
    """A story with every mention found. `tagged` shows a sentence as one fact sees it."""

    def __init__(self, story: str, facts: Sequence[Fact]) -> None:
        self.sentences = sentences_of(story)
        self.entities: dict[str, Entity] = {}
        self._ranked = {self.key_of(f.subject) for f in facts if f.family == "rank"}
        self._subjects(facts)
        self._others()
        self._matcher = self._make_matcher()
        for sentence in self.sentences:
            self._find_names(sentence)
        self._genders(facts)
        self._resolve()

    def _subjects(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            thing = "n" if fact.kind in THINGS and not fact.gender else fact.gender
            self._add_subject(fact.subject, fact.aliases, thing)
            if fact.kind == "relation":
                self._add_subject(fact.other, tuple(fact.extra.get("of_aliases", ())), "")

    def _add_subject(self, subject: str, aliases: Sequence[str], gender: str) -> None:
        key = self.key_of(subject)
        known = next((e for e in self.entities.values() if e.key == key), None)
        if known is None:
            full = name_forms([subject])[0].lower()
            known = next((e for e in self.entities.values()
                          if full in (n.lower() for n in e.names)), None)  # fmt: skip
        if known is None:
            known = self.entities[key] = Entity(key, [], gender, False, True)
        self.entities[key] = known
        known.names = list(dict.fromkeys([*known.names, *name_forms([subject, *aliases])]))
        known.gender = known.gender or gender

    @staticmethod
    def key_of(subject: str) -> str:
        """The key of a fact's subject."""
        return "s:" + " ".join(name_forms([subject])[0].lower().split())

    def entity_of(self, subject: str) -> Entity | None:
        """The entity of a fact's subject."""
        return self.entities.get(self.key_of(subject))

    def _others(self) -> None:
        counts: Counter[str] = Counter()
        own = {n.lower() for e in self.entities.values() for n in e.names}
        for sentence in self.sentences:
            for found in CAPITAL.finditer(sentence.text):
                before = sentence.text[: found.start()].rstrip("\"“‘'(—– ")
                word = re.sub(r"['’]s?$", "", found[0])
                if word not in STOP_NAMES and word.lower() not in own and len(word) > 1:
                    counts[word] += 2 if before and before[-1] not in ".!?…:" else 1
        lower = {w for s in self.sentences for w in re.findall(r"\b[a-zà-þ]\w+", s.text)}
        for word, count in counts.items():
            if count >= 2 and word.lower() not in lower:
                self.entities["o:" + word.lower()] = Entity("o:" + word.lower(), [word])

    def _make_matcher(self) -> tuple[re.Pattern[str], dict[str, str]]:
        """One pattern of all names, the longest first, and whose each of them is."""
        owners: dict[str, set[str]] = defaultdict(set)
        forms: dict[str, str] = {}
        for entity in self.entities.values():
            for name in entity.names:
                owners[name.lower()].add(entity.key)
                body = re.escape(name).replace(r"\ ", r"\s+")
                forms[name.lower()] = body if name[0].isupper() else f"(?i:{body})"
        every = "|".join(forms[name] for name in sorted(forms, key=len, reverse=True)) or "(?!)"
        pattern = rf"(?<![\w-])(?:[Tt]he )?({every})(?:['’]s|(?<=s)['’](?=\s))?(?![\w-])"
        whose = {
            name: min(keys) if len(keys) == 1 else "?" + "|".join(sorted(keys))
            for name, keys in owners.items()
        }
        return re.compile(pattern), whose

    def _find_names(self, sentence: Sentence) -> None:
        pattern, whose = self._matcher
        for found in pattern.finditer(sentence.text):
            key = whose[" ".join(found[1].lower().split())]
            owner = bool(re.search(r"['’]s?$", found[0]))
            inside = quoted(sentence.text, found.start())
            sentence.spans.append(Span(found.start(), found.end(), key, owner, False, inside))

    def _genders(self, facts: Sequence[Fact]) -> None:
        votes: dict[str, Counter[str]] = defaultdict(Counter)
        for sentence in self.sentences:
            people = [s for s in sentence.spans if not s.quoted and not s.entity.startswith("?")]
            for span in people:
                entity, rest = self.entities[span.entity], sentence.text[span.end :]
                before = sentence.text[: span.start]
                if re.match(rf",? {ACTING}\b", rest) or re.search(
                    rf"{SAYING} $|{TITLES} $", before, re.I
                ):
                    entity.person = True
                for title, gender in ((FEMALE_TITLE, "f"), (MALE_TITLE, "m")):
                    votes[span.entity][gender] += 5 * bool(title.search(before))
            if len({s.entity for s in people}) == 1:
                for word in re.findall(
                    r"\b(?:he|him|his|himself|she|her|herself)\b",
                    sentence.text[people[0].end :],
                    re.I,
                ):
                    votes[people[0].entity][PRONOUNS[word.lower()]] += 1
        for key, entity in self.entities.items():
            m, f = votes[key]["m"], votes[key]["f"]
            entity.person = entity.person or bool(entity.gender in ("m", "f") or m or f)
            if not entity.gender and m != f and max(m, f) >= 2 * min(m, f):
                entity.gender = "m" if m > f else "f"
            name = entity.names[0].split()[0] if entity.names else ""
            if (
                not entity.gender
                and entity.person
                and name[:1].isupper()
                and FEMALE_END.search(name)
            ):
                entity.gender = "f"

    def _resolve(self) -> None:
        history: list[tuple[Sentence, list[Span]]] = []
        speakers: dict[int, str] = {}
        for sentence in self.sentences:
            spans = [self._settle(span, sentence, history) for span in sentence.spans]
            sentence.spans = sorted(self._pronouns(sentence, spans, history), key=lambda s: s.start)
            self._note_speaker(sentence, speakers)
            history.append((sentence, [s for s in sentence.spans if s.entity and not s.quoted]))
        opened: dict[int, str] = {}
        for sentence in self.sentences:
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
        ranked = keys & self._ranked
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

    def tagged(self, sentence: Sentence, subject: str, other: str = "") -> str:
        """The sentence with mentions of the subject as §s and of the other as §y.

        Open pronouns are §p, other people's §o; a possessive has 's behind the tag.
        """
        mine, yours = self.entity_of(subject), self.entity_of(other) if other else None
        out, at = [], 0
        for span in sentence.spans:
            entity = self.entities.get(span.entity)
            if entity is not None and entity is mine:
                tag = "§s"
            elif entity is not None and entity is yours:
                tag = "§y"
            elif span.pronoun:
                tag = "§o" if span.entity else "§p"
            else:
                continue
            if span.start < at:
                continue
            out += [sentence.text[at : span.start], tag + ("'s" if span.possessive else "")]
            at = span.end
        return "".join(out) + sentence.text[at:]


def _begins(row: list[Span], key: str) -> bool:
    """Is it the first that a sentence names, and not one of a pair (Mara and Ilse)?"""
    paired = len(row) > 1 and row[1].start - row[0].end == len(" and ")
    return bool(row) and row[0].entity == key and not paired
