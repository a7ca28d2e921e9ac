# ruff: noqa: E501  # a pattern is read as a whole
"""Rules for numbers and places: how many, how long, which deck, where."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..fact import Fact
from .common import BE, GAP, NAMEY, Finding, denied, shares


def count(fact: Fact, text: str) -> Iterator[Finding]:
    """How many of something the subject has. Parts of a number (three of the crew) do not count."""
    words = {"crew": "crew(?:men|members)?|hands|souls|men and women|people aboard|sailors", "ship": "ships?|vessels?|hulls?",
             "child": "child(?:ren)?|kids?", "moon": "moons?|satellites?", "brother": "brothers?", "sister": "sisters?"}  # fmt: skip
    stems = [
        noun[:-1] if noun.endswith("s") and not noun.endswith("ss") else noun for noun in fact.nouns
    ]
    stems = ["child" if stem == "children" else stem for stem in stems]
    noun = (
        "(?:" + "|".join(words.get(stem, re.escape(stem) + r"(?:s|es)?") for stem in stems) + ")"
        if stems
        else "[a-z]+"
    )
    has = (
        r"(?:has|had|have|carries|carried|carrying|holds|held|counts|counted|numbers|numbered|comprises|comprised|"
        r"consisted of|with|sailed with|boasts|boasted|keeps|kept|owned|owns|needed|mounts|mounted|wore|raised|bore|was left with|lost|sent|(?:is|was|were|are)(?: crewed by| home to| made up of)?)"
    )
    tail = r"(?! of (?:the|her|his|its|their|them|these|those|us)\b)(?! more\b)(?! other\b)"
    number = r"(?P<n>\d{1,6})(?!th)(?![:.]\d)"
    forms: tuple[str, ...] = (
        rf"§s(?:'s [\w-]+)?,? (?:{GAP % 2}){has}(?P<m> (?:not |only |just |exactly |about |some |all |a |a total of )*)(?:crew of )?{number}{tail} (?:[\w'’-]+ ){{0,2}}?{noun}\b",
        rf"§s's (?P<m>(?:not )?){number} (?:[\w'’-]+ ){{0,2}}?{noun}\b",
        rf"\b{number}{tail} (?:[\w'’-]+ ){{0,1}}?{noun} (?P<m>)(?:of|in|on|aboard|orbit(?:s|ed|ing)?|around|circled?|serv(?:e|ed|ing) (?:on|aboard)|belong(?:ed|ing)? to|manned|crewed) (?:the )?§s",
        rf"\bthere (?:are|were)(?P<m> (?:not |only )?){number}{tail} (?:[\w'’-]+ ){{0,2}}?{noun}\b[^.;!?]{{0,30}}?§s",
        rf"§s's {noun} (?:{BE}|numbered|counted|came to|of|stood at)(?P<m> (?:not |only |a total of )*){number}\b",
        rf"§s\b[^.;!?§]{{0,40}}?\b{noun} (?:of|numbered)(?P<m> ){number}\b",
        rf"\b{noun} of §s\b[^.;!?]{{0,20}}?(?:{BE}|numbered|came to)(?P<m> ){number}\b",
        rf"\b{number}{tail} (?:people|men|women|men and women|souls|hands|sailors) (?P<m>)(?:in|of|on|made up) (?:the |§s's ){noun}(?: of §s)?",
        rf"\b{number}(?P<m>) (?:[\w'’-]+ )?{noun} (?:that |which )?§s (?:had|carried|held|has|carries|owned|mounted)\b",
    )
    for form in forms:
        for found in re.finditer(form, text, re.IGNORECASE):
            before = text[max(0, found.start("n") - 14) : found.start("n")]
            if re.search(
                r"\b(?:another|other|first|last|next|these|those|deck|berth|room|chapter) $", before
            ):
                continue
            right = int(found["n"]) == fact.number
            if denied(found["m"] or ""):
                if right:
                    yield f"not {found['n']}", False
                continue
            yield found["n"], right


SPAN = r"\b(?:after|before|later|ago|for the (?:last|past|next)|within|every|another|in (?:the )?(?:last|next))\b"


def measure(fact: Fact, text: str) -> Iterator[Finding]:
    """A length, weight or time with its unit, where the sentence measures the subject."""
    unit = fact.nouns[0].rstrip("s")
    unit = {"feet": "(?:foot|feet)", "metre": "met(?:re|er)", "meter": "met(?:re|er)", "kilometre": "kilomet(?:re|er)",
            "tonne": "ton(?:ne)?", "ton": "ton(?:ne)?"}.get(unit, unit)  # fmt: skip
    if not re.search(
        r"\b(?:long|tall|high|wide|deep|thick|across|away|heavy|weigh\w*|measure\w*|last(?:s|ed)?|took|takes?|"
        r"take|distance|length|stretch\w*|spann\w*|through|from|is|was|were|are|ran|burned|burnt|rose|of)\b|-", text):  # fmt: skip
        return
    words = [
        w
        for w in re.findall(r"[a-z]+", fact.attribute.lower())
        if w not in ("the", "of", "in", "a", "and")
    ]
    if "§s" not in text:
        return
    for found in re.finditer(
        rf"(?P<m>\bnot |\bnever )?(?:\w+ )?\b(?P<n>\d{{1,7}})(?:[- ]\w+)?[- ]{unit}s?\b",
        text,
        re.IGNORECASE,
    ):
        between = (
            re.split(r"§s", text[: found.start("n")])[-1]
            if "§s" in text[: found.start("n")]
            else text[found.end() :].split("§s")[0]
        )
        named = re.search(
            rf"\b(?:{'|'.join(map(re.escape, words)) or 'xx'})\b", text, re.IGNORECASE
        )
        around = text[max(0, found.start() - 22) : found.end() + 8]
        loose = re.search(r"[;!?.]", between) or re.search(SPAN, around, re.IGNORECASE)
        if len(between) > 60 or (loose and not named):
            continue
        right = int(found["n"]) == fact.number
        if found["m"]:
            if right:
                yield f"not {found['n']}", False
            continue
        yield found["n"], right


def label(fact: Fact, text: str) -> Iterator[Finding]:
    """A numbered place: deck 4, berth 19."""
    noun = fact.nouns[0]
    for found in re.finditer(
        rf"§s(?P<m>[^.;!?§]{{0,50}}?)\b(?:{noun} (?P<n>\d+)\b(?!th)|the (?P<o>\d+)th {noun})",
        text,
        re.IGNORECASE,
    ):
        if re.search(
            r"\b(?:past|from|to|left|passed|through|below|above|between|towards?)\s*$", found["m"]
        ):
            continue
        number = int(found["n"] or found["o"])
        right = number == fact.number
        if denied(found["m"]):
            if right:
                yield f"not {noun} {number}", False
            continue
        yield f"{noun} {number}", right


def place(fact: Fact, text: str) -> Iterator[Finding]:
    """Where the subject was born, comes from or lives."""
    birth = not re.search(r"\blives?\b|\bresiden", fact.attribute, re.IGNORECASE)
    home = re.search(r"\bhome\b|\blives?\b|\bresiden", fact.attribute, re.IGNORECASE)
    prep = r"(?:in|on|at|aboard|under|near|from|beneath|to) (?:the )?(?:\w+ (?:of|under|on) )?(?:the )?"
    forms = []
    if birth:
        forms += [
            rf"§s (?:{BE}|had been|has been)(?P<m> (?:not |never )?)(?:born|raised|brought up|bred)(?: and (?:raised|bred|brought up))?(?: [^.;!?§]{{0,24}}?,)? {prep}(?P<v>{NAMEY})",
            rf"§s (?P<m>(?:had |never |did not |didn't )?)(?:come|came|comes|hail(?:s|ed)?|grew up|grow up|grown up) {prep}(?P<v>{NAMEY})",
            rf"§s,? (?:{BE} )?(?P<m>(?:not )?)(?:an? |the )?(?:[\w-]+ )?(?:native|child|daughter|son|boy|girl|man|woman) (?:of|from) (?:the )?(?P<v>{NAMEY})",
            rf"(?P<m>)(?P<v>{NAMEY})[- ]born §s\b",
            rf"(?P<v>{NAMEY})(?P<m>),? (?:the \w+ )?where §s (?:was|had been) (?:born|raised|brought up)",
            rf"§s,? (?:who (?:was )?)?(?P<m>(?:not )?)born (?:and (?:raised|bred) )?{prep}(?P<v>{NAMEY})",
            rf"§s's (?:birthplace|birth place|native \w+|home ?town|home ?world|home ?planet|childhood home|childhood)(?P<m>(?:,| {BE}| in| on)* )(?:the )?(?P<v>{NAMEY})",
            rf"§s's (?:childhood|girlhood|boyhood|youth)(?P<m>) (?:\w+ )?(?:in|on|at) (?:the )?(?P<v>{NAMEY})",
            rf"\bborn (?P<m>){prep}(?P<v>{NAMEY}), §s\b",
            rf"(?P<v>{NAMEY}) (?:was|had been|is) §s's (?P<m>)(?:birthplace|home ?town|home ?world|home)\b",
        ]
    if home:
        forms += [
            rf"§s (?P<m>(?:never |did not |didn't |still )?)(?:live[sd]?|dwel(?:t|ls)|reside[sd]?|made §s's home|had a (?:house|home|flat|room)) {prep}(?P<v>{NAMEY})",
            rf"§s's (?:home|house|flat|farm)(?P<m>(?:,| {BE}| in| on)+ )(?:in |on |at )?(?:the )?(?P<v>{NAMEY})",
        ]
    right_words = [fact.value, *fact.synonyms]
    for form in forms:
        for found in re.finditer(form, text, re.IGNORECASE):
            value = found["v"]
            if value.split()[0] in ("I", "The", "Mr", "Mrs", "Miss", "Lady", "Lord", "Sir", "Dr"):
                continue
            right = any(shares(value, word) for word in right_words)
            if denied(found["m"] or ""):
                if right:
                    yield f"not {value}", False
                continue
            yield value, right


def location(fact: Fact, text: str) -> Iterator[Finding]:
    """Where something stands that does not move by itself."""
    form = rf"§s (?:{BE} |had )?(?:hung|hangs|lay|lies|stood|stands|orbit\w*|circled?|circles|located|situated|floated|floats|built|turned|in|on|at|near|above)\b(?P<m>[^.;!?§]{{0,30}}?)(?:\b(?:in|at|above|over|around|near|of|off|on|under|below) )?(?:the )?(?P<v>{NAMEY})"
    for found in re.finditer(form, text, re.IGNORECASE):
        if re.match(r"['’]", text[found.end() :]):
            continue
        right = shares(found["v"], fact.value) or any(shares(found["v"], s) for s in fact.synonyms)
        if denied(found["m"]):
            if right:
                yield f"not {found['v']}", False
            continue
        yield found["v"], right
