# ruff: noqa: E501  # a pattern is read as a whole
"""Rules for people: colour of a part, age, rank or job, kinship, name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .. import lexicon
from ..fact import Fact
from ..families import INVERSE
from ..kinds import KIN
from ..numbers import TENS
from .common import BE, GAP, NAMEY, OWNED, Finding, denied, judge, shares


def colour(fact: Fact, text: str) -> Iterator[Finding]:
    """Colour of a part: before the noun, behind a verb, or joined (brown-eyed)."""
    nouns = [re.escape(noun.rstrip("s")) for noun in fact.nouns]
    noun = (
        rf"(?:{'|'.join(nouns)}|gaze|irises)s?" if "eye" in nouns else rf"(?:{'|'.join(nouns)})s?"
    )
    hue = lexicon.pattern("colour")
    forms: tuple[str, ...] = (
        rf"§s's (?P<m>(?:[\w'’-]+,? (?:and )?){{0,4}}?(?P<c>{hue})(?:,? (?:and )?[\w-]+){{0,2}}?) {noun}\b",
        rf"§s's {GAP % 3}{noun}(?P<m>,? (?:[\w'’-]+ ){{0,2}}?(?:that |which )?(?:{BE}|had gone|went|turned|,)(?:(?! §|'s )[^.;!?§]){{0,28}}?)\b(?P<c>{hue})\b",
        rf"§s (?:has|had|have)(?P<m>) (?:§s's )?(?:[\w'’-]+ ){{0,3}}?{noun}(?:,|:| that were)[^.;!?§]{{0,28}}?\b(?P<c>{hue})\b",
        rf"§s (?:has|had|have|with)(?P<m> (?:[§\w'’-]+,? ){{0,5}}?)(?P<c>{hue})(?:,? [\w-]+){{0,2}}? {noun}\b",
        rf"§s,? (?:{BE}|[\w-]+,) (?P<m>(?:[\w'’-]+,? ){{0,4}}?)(?P<c>{hue})[- ]{'(?:' + '|'.join(nouns) + ')'}(?:ed|d|red)?\b",
        rf"(?P<m>)(?P<c>{hue})[- ]{'(?:' + '|'.join(nouns) + ')'}(?:ed|d) §s\b",
        rf"§s\b(?P<m>[^.;!?§]{{0,60}}?\bwith (?:[\w'’-]+,? ){{0,4}}?)(?P<c>{hue})(?:,? [\w-]+){{0,2}}? {noun}\b",
        rf"\b{noun} of §s\b(?P<m>[^.;!?§]{{0,16}}?\b{BE} [^.;!?§]{{0,20}}?)(?P<c>{hue})\b",
        rf"\bthe (?P<c>{hue})(?P<m>) (?:of|in) §s's {noun}\b",
        rf"§s's {noun},(?P<m>) (?:a |an |the )?(?:[\w'’-]+ ){{0,3}}?(?P<c>{hue})\b",
        rf"\bcolou?r of §s's {noun}\b(?P<m>[^.;!?§]{{0,16}}?)(?P<c>{hue})\b",
    )
    if noun.startswith("(?:hair"):
        forms += (rf"§s\b(?P<m>[^.;!?§]{{0,20}}?)\b(?P<c>{hue})(?:-haired|ette)\b",)
    for form in forms:
        for found in re.finditer(form, text, re.IGNORECASE):
            plain = form.startswith("§s (?:has")  # she had her mother's eyes
            if re.search("§[opy]" if plain else OWNED, found["m"]):
                continue
            made = judge(
                fact,
                found["c"],
                denied(found["m"])
                or bool(
                    re.search(r"\bnot\b", text[max(0, found.start("c") - 12) : found.start("c")])
                ),
            )
            if made and not re.search(r"\bas\s*$|\blike\b", found["m"] or ""):
                yield made


OLDEST = 130  # years


def age(fact: Fact, text: str) -> Iterator[Finding]:
    """Age in years: at 36, aged 36, was 36, 36-year-old, in her thirties, 36th birthday."""
    assert fact.number is not None
    end = r"(?= years? old| years of age|[,.;!?:”\"—–-]|$| now\b| and\b| when\b| that\b| this\b| but\b| or\b| today\b| last\b| in (?:spring|summer|autumn|winter|march))"
    forms: tuple[str, ...] = (
        rf"§s (?:{BE}|turned|had turned|had just turned|has turned|is now|was now|would be|(?:had )?reached the age of)(?P<m> (?:not |only |just |barely |all of |now |already |still )*)(?P<n>\d{{1,3}}){end}",
        r"§s(?:,| was| is)? (?:a |an )?aged? (?:of )?(?P<m>)(?P<n>\d{1,3})\b",
        r"§s's (?P<m>)(?P<n>\d{1,3}) years (?!of (?:service|work|sailing|travel|experience))(?!in|at|on|as|with)\b",
        r"§s, (?P<m>(?:now |only |barely |just )*)(?P<n>\d{1,3})(?: years old)?,",
        r"\b(?:[Aa]t|[Aa]ged|[Aa]t the age of) (?P<m>)(?P<n>\d{1,3}),? §s\b",
        rf"§s\b[^.;!?§]{{0,30}}? at (?:the age of )?(?P<m>)(?P<n>\d{{2,3}}){end}(?! years)",
        r"(?P<n>\d{1,3})[- ]years?[- ]old (?P<m>)(?:[\w-]+ )?§s\b",
        rf"§s,? (?:{BE} )?(?P<m>(?:not )?)(?:an? |the )?(?:[\w-]+ )?(?P<n>\d{{1,3}})[- ]years?[- ]old\b",
        r"§s's (?P<m>)(?P<n>\d{1,3})th birthday (?:had (?:come|been|passed)|was (?:last|behind|past))",
        r"§s's (?P<m>)age(?:,| was| is| of) (?P<n>\d{1,3})\b",
        r"§s (?:had|has) (?P<m>)(?P<n>\d{1,3}) years behind",
    )
    for form in forms:
        for found in re.finditer(form, text, re.IGNORECASE):
            right = int(found["n"]) == fact.number
            if not _is_age(fact.number, found, form):
                continue
            if re.search(r"\bnot\b|n['’]t", found["m"]):
                if right:
                    yield f"not {found['n']}", False
                continue
            yield found["n"], right
    for found in re.finditer(
        r"§s\b[^.;!?§]{0,40}?\bin §s's (?:early |mid |late |middle )?(\w+ties)\b",
        text,
        re.IGNORECASE,
    ):
        decade = TENS.get(found[1].lower().replace("ies", "y"), 0)
        if decade:
            yield found[1], decade <= fact.number < decade + 10


def _is_age(true: int, found: re.Match[str], form: str) -> bool:
    """Is the number an age, and one of the story's present? Nineteen is, `at nineteen she had` not."""
    number, after = int(found["n"]), found.string[found.end("n") :]
    if number > OLDEST or (re.match(r"(?:st|nd|rd|th)\b", after) and "birthday" not in after):
        return False
    if re.match(r" (?:minutes|hours|days|weeks|months|metres|meters|paces|seconds|men)\b", after):
        return False
    early = "[Aa]t|" in form and re.match(r",? §s (?:had|could already|could still)\b", after)
    child = number < 16 and true >= 18  # a memory, as a rule
    return number == true or not (early or child)


def rank(fact: Fact, text: str) -> Iterator[Finding]:
    """Rank or job: title before the name, behind `was`, in apposition."""
    word = lexicon.pattern(fact.family)
    forms: tuple[str, ...] = (
        rf"(?<!of )\b(?P<m>)(?P<c>{word}) (?:(?-i:[A-Z][\w'-]+) )?§s\b",
        rf"§s (?:{BE}|became|had become|made)(?P<m> (?:not |never |no |only |still |now )*)(?:an? |the |our |their |its |§\w's |this |that )?(?:[\w'’-]+ ){{0,2}}?(?P<c>{word})\b(?!['’])",
        rf"§s, (?P<m>(?:not )?)(?:an? |the |our |their |its |once )?(?:[\w'’-]+ )?(?:[\w'’-]+ )?(?P<c>{word})(?= (?:of|on|aboard|in|to|who)\b|[,.;:!?])",
        rf"§s's (?P<m>)rank (?:of|was|is|as) (?:an? )?(?P<c>{word})\b",
        rf"\bthe (?P<c>{word}), §s(?P<m>),",
        rf"§s (?:had |has )?(?:served|worked|signed (?:on|up)|shipped|sailed|was posted|was employed|been hired|earned §s's living)(?P<m> (?:not )?)(?:[\w'’-]+ ){{0,4}}?as (?:an? |the |our |their |§\w's )?(?:[\w'’-]+ )?(?P<c>{word})\b",
        rf"§s(?P<m>) (?:was|had been) promoted to (?P<c>{word})\b",
        rf"§s's (?P<m>)(?:job|trade|profession|work)(?:,| was| is)+ (?:that of )?(?:an? |the )?(?:[\w-]+ )?(?P<c>{word})\b",
    )
    for form in forms:
        for found in re.finditer(form, text, re.IGNORECASE):
            if (
                fact.family == "rank"
                and re.search(r"\b(?:first|second|petty) $", text[: found.start("c")])
                and found["c"].lower() not in ("lieutenant",)
            ):
                continue
            made = judge(fact, found["c"], denied(found["m"] or ""))
            if made and not (
                re.search(r"\bknew|\bcalled|\btold|\basked|\bwith\b", found["m"] or "")
            ):
                yield made


def relation(fact: Fact, text: str) -> Iterator[Finding]:
    """Kinship of two: §s is the fact's first, §y its second person."""
    kin = rf"(?P<k>{KIN})"
    adj = r"(?:[\w'’-]+ ){0,2}?"
    forward = (
        rf"§s,? (?:{BE} |had been )?(?P<m>(?:not )?)(?:only )?§y's {adj}{kin}\b",
        rf"§y's {adj}(?P<m>){kin},? (?:was |is |called |named )?§s\b",
        rf"§s,? (?:{BE} )?(?P<m>(?:not )?)(?:an? |the )?{adj}{kin} (?:of|to) §y\b",
        rf"§y (?:had|has) (?P<m>(?:no )?)(?:an? )?{adj}{kin},? (?:called |named )?§s\b",
        rf"§s and (?:§s's )?(?P<m>){adj}(?:(?!x)x)?{kin},? §y\b(?P<inv>)",
    )
    backward = (
        rf"§y,? (?:{BE} |had been )?(?P<m>(?:not )?)(?:only )?§s's {adj}{kin}\b",
        rf"§s's {adj}(?P<m>){kin},? (?:was |is |called |named )?§y\b",
        rf"§y,? (?:{BE} )?(?P<m>(?:not )?)(?:an? |the )?{adj}{kin} (?:of|to) §s\b",
    )
    for forms, inverse in ((forward, False), (backward, True)):
        for form in forms:
            for found in re.finditer(form, text, re.IGNORECASE):
                group = lexicon.group_of("kin", found["k"])
                wants = (
                    INVERSE.get(fact.group, set())
                    if inverse or "inv" in found.groupdict()
                    else {fact.group}
                )
                right = any(lexicon.same(group, want) for want in wants)
                if denied(found["m"]):
                    if right:
                        yield f"not {found['k']}", False
                    continue
                if group:
                    yield found["k"], right
    alone = [w for w in ("father", "mother", "husband", "wife") if lexicon.same(w, fact.group)]
    if alone and fact.group != "parent":
        for found in re.finditer(
            rf"§y's (?:late |old |dear )?(?:{'|'.join(alone)}),? (?:was |is |called |named |had been )?(?P<v>(?-i:[A-ZÀ-Þ][\w’-]+))",
            text,
        ):
            yield found["v"], shares(found["v"], fact.subject)


def name(fact: Fact, text: str) -> Iterator[Finding]:
    """What the subject is called."""
    value = fact.value.strip("\"“”'*_ ")
    forms: tuple[str, ...] = (
        rf"§s,? (?:\w+ )?(?:{BE} |had been )?(?P<m>(?:not )?)(?:called|named|christened|known as|dubbed|baptised) (?:the )?[\"“*_']?(?P<v>{NAMEY})",
        rf"§s's (?:\w+ )?name (?:{BE})(?P<m>(?: not)?) (?:the )?[\"“*_']?(?P<v>{NAMEY})",
        rf"§s, (?P<m>)(?:the )?[\"“*_']?(?P<v>{NAMEY})[\"”*_']?,",
        rf"(?:called|named|christened) §s (?P<m>)(?:the )?[\"“*_']?(?P<v>{NAMEY})",
    )
    if re.search(r"\b(?:sur|last|family)", fact.attribute.lower()):
        first = re.escape(fact.subject.split()[0])
        forms += (r"§s (?P<m>)(?P<v>(?-i:[A-ZÀ-Þ][\w’-]+))", rf"\b{first} (?P<m>)(?P<v>(?-i:[A-ZÀ-Þ][\w’-]+))")  # fmt: skip
    for form in forms:
        for found in re.finditer(form, text, re.IGNORECASE):
            right = shares(found["v"], value) or any(
                shares(found["v"], s) for s in (*fact.synonyms, *fact.aliases)
            )
            if denied(found["m"]):
                if right:
                    yield f"not {found['v']}", False
                continue
            yield found["v"], right
