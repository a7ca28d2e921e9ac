"""Names and aliases in a story, sentence by sentence; pronouns.py tells who else is meant."""

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
    PRONOUNS,
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
from .pronouns import Resolver

THINGS = ("location", "date", "measure", "label", "order")


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
        Resolver(self.entities, self._ranked).resolve(self.sentences)

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
