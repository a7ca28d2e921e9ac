"""Rules for each kind of fact: what a tagged sentence says of the subject, and whether it is denied.

A rule looks at one sentence in which the subject is §s (mentions.Story.tagged) and numbers are
digits. It yields (found, agrees): the words it read, and whether they agree with the fact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from . import lexicon
from .model import KIN, MEASURES, Fact

Finding = tuple[str, bool]
NOT = r"(?:\bnot\b|n['’]t\b|\bnever\b|\bno longer\b|\bneither\b|\bnor\b|\bhardly\b|\bwithout\b|\binstead of\b|\brather than\b|\banything but\b|\bfar from\b)"
BE = r"(?:is|are|was|were|'s|’s|be|been|being|looked|seemed|shone|gleamed|glowed|remained|stayed|turned out)"
NAMEY = r"(?-i:[A-ZÀ-Þ][\w’'-]*(?:(?: of| the)* [A-ZÀ-Þ][\w’'-]*)*)"
# Between `her` and `brown eyes`: whose eyes they are, if not hers.
OWNED = rf"\b(?:had|has|have|who|{KIN}|friend|lover|enemy|dog|cat)\b|§[oyp]"
GAP = r"(?:[\w'’-]+,? ){0,%d}?"
# Not said as true: supposed, dreamt, compared, asked, claimed, or of another time.
UNREAL = re.compile(
    r"\bif\b|\bas if\b|\bas though\b|\bwish(?:ed|es)?\b|\bdream(?:ed|t|s)?\b|\bimagin\w+|\bpretend\w*|"
    r"\bsuppos\w+|\bwould have\b|\bcould have\b|\bmight have\b|\bmight be\b|\bmust have been\b|\brumou?r\w*|\blie[ds]?\b|"
    r"\bmistak\w+|\bwrongly\b|\bmistook\b|\bsaid to be\b|\bpeople said\b|\bwonder\w*|\bwhether\b|\bdyed?\b|\bwig\b|"
    r"\bcontact lens\w*|\bpainted\b|\bdisguise\w*|\bno one could\b|\bperhaps\b|\bmaybe\b|\bcould be\b|\bused to\b|\bunless\b|\bas soon as\b|"
    r"\bfear(?:ed|s)?\b|\bproof\b|\bfelt sure\b|\bbeliev\w+ (?:that|him|her|them|§)|\bthreat\w*|\bwarn\w*|\bexpect\w*",
    re.IGNORECASE,
)
PAST = re.compile(
    r"\bhad (?:once )?been\b|\bused to\b|\bonce\b|\bformer(?:ly)?\b|\bex-|\bas a (?:boy|girl|child)\b|"
    r"\byears (?:ago|before|earlier)\b|\bwhen (?:§s|she|he|they) (?:was|were) (?:a |\d)|\bin (?:those|the old) days\b|"
    r"\bbefore (?:the|that|then|it)\b|\bremember(?:ed|s|ing)?\b|\bback then\b|\bwill be\b|\bnext year\b",
    re.IGNORECASE,
)


# §s, the sounder, has …
APPOSITION = re.compile(
    r"(§[sy]), (?:the|an?|his|her|our|their|who) [^,.;:!?§]{1,50}, (?=\w)", re.I
)


def unreal(text: str) -> bool:
    """Is the sentence a question, a wish, a comparison or hearsay?"""
    return bool(UNREAL.search(text)) or text.rstrip("\"”’' ").endswith("?")


def denied(text: str) -> bool:
    """Does a piece of text hold a negation?"""
    return bool(re.search(NOT, text, re.IGNORECASE))


def said(fact: Fact, text: str) -> Iterator[Finding]:
    """What a tagged sentence says of the fact; nothing where it says nothing."""
    rule = RULES.get(fact.kind, other)
    seen = set()
    for reading in dict.fromkeys((text, APPOSITION.sub(r"\1 ", text))):
        for finding in rule(fact, reading):
            if finding not in seen:
                seen.add(finding)
                yield finding


def _judge(fact: Fact, words: str, negated: bool) -> Finding | None:
    """Compare a word of the fact's family with its group."""
    group = lexicon.group_of(fact.family, words)
    if not group:
        return None
    right = lexicon.same(group, fact.group) or words.lower() in (s.lower() for s in fact.synonyms)
    if negated:
        return (f"not {words}", False) if right and group == fact.group else None
    return words, right


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
            made = _judge(
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
            after = text[found.end("n") :]
            if int(found["n"]) > OLDEST:
                continue
            if re.match(r"(?:st|nd|rd|th)\b", after) and "birthday" not in after:
                continue
            if re.match(
                r" (?:minutes|hours|days|weeks|months|metres|meters|paces|seconds|men)\b", after
            ):
                continue
            right = int(found["n"]) == fact.number
            early = "[Aa]t|" in form and re.match(
                r",? §s (?:had|could already|could still)\b", after
            )
            child = int(found["n"]) < 16 and fact.number >= 18  # a memory, as a rule
            if not right and (early or child):
                continue  # at nineteen she had signed: an earlier time
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
        decade = lexicon.TENS.get(found[1].lower().replace("ies", "y"), 0)
        if decade:
            yield found[1], decade <= fact.number < decade + 10


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
        if (
            len(between) > 60
            or re.search(r"[;!?.]", between)
            or re.search(
                r"\b(?:after|before|later|ago|for the (?:last|past|next)|within|every|another|in (?:the )?(?:last|next))\b",
                text[max(0, found.start() - 22) : found.end() + 8],
                re.IGNORECASE,
            )
        ):
            if (
                not re.search(
                    rf"\b(?:{'|'.join(map(re.escape, words)) or 'xx'})\b", text, re.IGNORECASE
                )
                or len(between) > 60
            ):
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
            right = any(_shares(value, word) for word in right_words)
            if denied(found["m"] or ""):
                if right:
                    yield f"not {value}", False
                continue
            yield value, right


def _shares(a: str, b: str) -> bool:
    """Do two names share a capitalised word?"""
    big = {w.strip("'’s") for w in re.findall(r"[A-ZÀ-Þ][\w’'-]*", a)}
    return bool(big & {w.strip("'’s") for w in re.findall(r"[A-ZÀ-Þ][\w’'-]*", b)})


def location(fact: Fact, text: str) -> Iterator[Finding]:
    """Where something stands that does not move by itself."""
    form = rf"§s (?:{BE} |had )?(?:hung|hangs|lay|lies|stood|stands|orbit\w*|circled?|circles|located|situated|floated|floats|built|turned|in|on|at|near|above)\b(?P<m>[^.;!?§]{{0,30}}?)(?:\b(?:in|at|above|over|around|near|of|off|on|under|below) )?(?:the )?(?P<v>{NAMEY})"
    for found in re.finditer(form, text, re.IGNORECASE):
        if re.match(r"['’]", text[found.end() :]):
            continue
        right = _shares(found["v"], fact.value) or any(
            _shares(found["v"], s) for s in fact.synonyms
        )
        if denied(found["m"]):
            if right:
                yield f"not {found['v']}", False
            continue
        yield found["v"], right


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
            made = _judge(fact, found["c"], denied(found["m"] or ""))
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
                    lexicon.INVERSE.get(fact.group, set())
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
            yield found["v"], _shares(found["v"], fact.subject)


DEAD = (
    r"§s (?:had |has |was |is |were )?(?:already |long |finally |been )*(?P<w>died|dead|killed|drowned|murdered|perished|slain|buried|shot dead|deceased)\b",
    r"\b(?:the )?(?P<w>death|murder|funeral|burial|corpse|grave|ashes|widow|widower|body) of §s\b(?!')",
    r"§s's (?P<w>death|funeral|grave|corpse|burial|dead body|ashes|widow|coffin|murder|last breath|tomb|wake)\b",
    r"\b(?P<w>late|dead|deceased) (?:captain |lieutenant |commander |dr\.? )?§s\b(?!')",
    r"\b(?P<w>killed|buried|murdered|mourned|mourning|grieved for|grieving for) §s\b(?!')",
    r"§s (?:did not|didn't|had not|hadn't|never) (?P<w>surviv\w+|come back alive|make it out alive|live)\b",
    r"§s (?:had )?(?P<w>lost §s's life|gave §s's life|breathed §s's last|passed away|bled to death|burned to death|froze to death)\b",
)
ALIVE = (
    r"§s (?:is|was|were) (?:still |very much |quite |perfectly |somehow )*(?P<w>alive|living|breathing)\b",
    r"§s (?:had |has )?(?P<w>survived|lived on|come back alive|lived through|recovered)\b",
    r"§s (?:had )?(?:not|never) (?P<w>died|been killed|dead|drowned|perished)\b",
    r"§s (?:is|was|were)(?: not|n't) (?P<w>dead|killed|gone)\b",
)
ACT = (
    r"said|asked|replied|answered|whispered|murmured|muttered|shouted|nodded|smiled|grinned|laughed|shrugged|frowned|"
    r"walked (?:in|into|up|over|across|through|out|past)|came (?:in|into|through|up|over|down|out|back|aboard)|stepped (?:in|into|through|out|forward|aboard)|poured|"
    r"sat down|stood (?:up|at|by|in)|looked (?:up|at|out|over)|turned|opened|closed|picked up|put down|leaned|waved|"
    r"handed|reached|took|climbed|ran|strode|yawned|coughed|blinked|sighed|drank|ate|pulled|pushed|wiped|lit|arrived|entered|called"
)
MEMORY = re.compile(
    r"\bremember\w*|\brecall\w*|\bmemor\w+|\bonce\b|\byears? (?:ago|before|earlier)\b|\bhad\b|\bused to\b|\bdream\w*|"
    r"\bghost\b|\brecord\w*|\bportrait\b|\bphotograph\b|\bpicture\b|\bletter\b|\bvoice\b|\bwould\b|\bas a (?:boy|girl|child)\b|"
    r"\bbefore (?:he|she|they|§s)\b|\bwhen (?:he|she|§s) (?:was|were)\b|\blast words\b|\bthought of\b|\bif\b|\bstory\b",
    re.IGNORECASE,
)


def status(fact: Fact, text: str) -> Iterator[Finding]:
    """Dead or alive: said outright, or a dead one who acts outside of any memory."""
    for forms, group in ((DEAD, "dead"), (ALIVE, "alive")):
        for form in forms:
            for found in re.finditer(form, text, re.IGNORECASE):
                piece = text[max(0, found.start() - 12) : found.end()]
                inner = re.sub(
                    r"(?:not|never) (?:died|been killed|dead|drowned|perished)|(?:did not|didn't|had not|hadn't|never) (?:surviv|come|make|live)\w*|(?:is|was|were)(?: not|n't) ",
                    "",
                    piece,
                )
                if denied(inner) or re.search(
                    r"\b(?:almost|nearly|to|fear of|threat of) ?(?:§s's )?$",
                    piece[: found.start("w") - found.end()],
                ):
                    continue
                yield found["w"], group == fact.group
    if fact.group == "dead" and not MEMORY.search(text):
        acts = re.search(rf"(?:^|[\"”,;.—] ?|\band |\bthen )§s (?:\w+ly )?(?P<w>{ACT})\b", text)
        if acts:
            yield acts["w"], False


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
            right = _shares(found["v"], value) or any(
                _shares(found["v"], s) for s in (*fact.synonyms, *fact.aliases)
            )
            if denied(found["m"]):
                if right:
                    yield f"not {found['v']}", False
                continue
            yield found["v"], right


def date(fact: Fact, text: str) -> Iterator[Finding]:
    """Year, season, month or weekday in a sentence about the subject."""
    if "§s" not in text:
        return
    value = lexicon.digits(fact.value)
    years = re.findall(r"\b\d{3,4}\b", value)
    if years:
        found = set(
            re.findall(
                r"(?<!-)\b(?:[A-Z]{1,2}\.? ?)?(\d{3,4})\b(?! (?:metres|meters|tons|men|people|credits|kilo|miles|ships|marks|souls|feet))",
                text,
            )
        )
        if len(found) == 1:
            year = found.pop()
            if denied(text[: text.index(year)][-14:]):
                return
            yield year, year in years
        return
    for family in ("season", "month", "weekday", "daytime"):
        group = next(
            (g for w in re.findall(r"\w+", value.lower()) if (g := lexicon.group_of(family, w))), ""
        )
        if not group:
            continue
        word = lexicon.pattern(family)
        hits = [h for h in re.finditer(rf"\b(?:in|on|during|by|at|that|of|the|one|early|late|last|a|every) (?P<c>{word})\b", text, re.IGNORECASE)
                if family != "month" or h["c"][0].isupper()]  # fmt: skip
        if len({lexicon.group_of(family, h["c"]) for h in hits}) == 1:
            got = lexicon.group_of(family, hits[0]["c"])
            if denied(text[max(0, hits[0].start() - 10) : hits[0].start()]):
                if got == group:
                    yield f"not {hits[0]['c']}", False
                return
            yield hits[0]["c"], got == group
        return
    if fact.number is not None:
        unit = re.search(r"\d+(?:th)? ([a-zA-Z]+)", value)
        noun = unit[1] if unit else "day"
        hits2 = re.findall(rf"\b(\d+)(?:th)? {noun}s?\b|\b{noun} (\d+)\b", text, re.IGNORECASE)
        numbers = {int(a or b) for a, b in hits2}
        if len(numbers) == 1:
            number = numbers.pop()
            yield str(number), number == fact.number


def order(fact: Fact, text: str) -> Iterator[Finding]:
    """Which of two events, §s and §y, came first."""
    if "§s" not in text or "§y" not in text:
        return
    s, y = text.index("§s"), text.index("§y")
    first_s = bool(re.search(r"\b(?:before|precede)", fact.attribute.lower()))
    between = text[min(s, y) : max(s, y)]
    head = text[: min(s, y)]
    verdict: bool | None = None  # does the one that stands first come first in time?
    if re.search(
        r"\b(?:before|preced\w+|earlier than|ahead of|until|led to|ended in|followed by|paved the way)\b",
        between,
    ):
        verdict = True
    elif re.search(
        r"\b(?:after|followed|later than|since|in the wake of|had already|once)\b", between
    ):
        verdict = False
    elif re.search(r"\b(?:before|prior to|until)\b[^,]*$", head, re.IGNORECASE):
        verdict = False
    elif re.search(r"\b(?:after|following|once|since|when)\b[^,]*$", head, re.IGNORECASE):
        verdict = True
    if verdict is None or denied(between):
        return
    said_first = verdict if s < y else not verdict
    yield (
        between.strip(" ,")[:60].replace("§s", fact.subject).replace("§y", fact.other),
        said_first == first_s,
    )


def other(fact: Fact, text: str) -> Iterator[Finding]:
    """Any other attribute: words that exclude each other, negation, the value itself."""
    if "§s" not in text:
        return
    value = re.escape(fact.value).replace(r"\ ", r"\s+")
    clause = re.search(rf"§s(?P<m>[^.;!?]{{0,90}}?)\b(?P<v>{value})\b", text, re.IGNORECASE)
    if clause:
        if denied(clause["m"]):
            yield f"not {fact.value}", False
        else:
            yield clause["v"], True
        return
    words = [
        w.rstrip("s")
        for w in re.findall(r"[a-z]{3,}", fact.attribute.lower())
        if w not in ("the", "and")
    ]
    if (
        fact.family
        and words
        and re.search(rf"\b(?:{'|'.join(map(re.escape, words))})\w*", text, re.IGNORECASE)
    ):
        for found in re.finditer(
            rf"§s(?P<m>[^.;!?§]{{0,60}}?)\b(?P<c>{lexicon.pattern(fact.family)})\b",
            text,
            re.IGNORECASE,
        ):
            made = _judge(fact, found["c"], denied(found["m"]))
            if made:
                yield made
    if fact.family == "material":
        forms: tuple[str, ...] = (
            rf"§s (?:{BE}|had been)(?P<m> (?:not )?)(?:(?:made|built|carved|forged|cut|cast) )?(?:entirely )?(?:of |from |out of )?(?P<c>{lexicon.pattern('material')})\b",
            rf"\b(?P<m>)(?P<c>{lexicon.pattern('material')}) §s\b",
        )
        for form in forms:
            for found in re.finditer(form, text, re.IGNORECASE):
                made = _judge(fact, found["c"], denied(found["m"]))
                if made:
                    yield made
    elif fact.family in ("hand", "kind", "marriage", "height", "limb"):
        for found in re.finditer(
            rf"§s (?:{BE}|has|had)(?P<m> (?:not )?)(?:an? |the )?(?P<c>{lexicon.pattern(fact.family)})\b(?! (?:to|about|that|now|enough))",
            text,
            re.IGNORECASE,
        ):
            made = _judge(fact, found["c"], denied(found["m"]))
            if made:
                yield made


RULES: dict[str, Callable[[Fact, str], Iterator[Finding]]] = {
    "colour": colour, "age": age, "count": count, "measure": measure, "label": label,
    "place": place, "location": location, "rank": rank, "relation": relation, "status": status, "name": name,
    "date": date, "order": order, "other": other,
}  # fmt: skip
# Held true at one time only: a sentence about another time does not deny them.
TIMED = ("age", "rank", "status", "count")
__all__ = ["MEASURES", "RULES", "denied", "said", "unreal"]
