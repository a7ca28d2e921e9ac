"""Measures of prose, each a number of one page or window. Pure functions; no quality is implied.

A measure becomes a score only by its distance from the human range (prose/score.py).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from .text import TOKEN, WORD, Page, words_of

CLASSES: dict[str, str] = {
    "THE": "the",
    "A": "a an",
    "POSS": "my his our your their its thy whose",
    "HER": "her",
    "DEM": "this these those each every no some any another such",
    "THAT": "that",
    "OF": "of",
    "TO": "to",
    "PREP": "in on at by with from into upon through over under between against among within "
    "without toward towards across behind beneath above below beside beyond during about around "
    "near along onto amid except like unto",
    "SUBJ": "i he she they we thou",
    "IT": "it you",
    "OBJ": "him me them us himself herself myself themselves itself yourself thee",
    "BE": "is was are were am 's 're 'm",
    "BEEN": "be been being",
    "HAVE": "have has had having",
    "DO": "do does did don't didn't doesn't",
    "MODAL": "will would can could shall should may might must can't couldn't won't wouldn't i'll "
    "he'll we'll you'll they'll i'd he'd she'd they'd you'd we'd",
    "SUBBE": "i'm it's he's she's that's there's you're they're we're i've you've we've",
    "NOT": "not never",
    "AND": "and or nor",
    "BUT": "but yet",
    "SUB": "if when while because though although as than till until since before after where "
    "unless whether",
    "WH": "who which what whom how why",
    "ADV": "very so too now then there here up down out off away back again still only just even "
    "once ever always also almost quite rather more most all",
    "NUM": "one two three four five six seven eight nine ten eleven twelve twenty thirty hundred "
    "thousand",
}
MARKS = {",": "COMMA", ";": "SEMI", ":": "SEMI", "(": "SEMI", ")": "SEMI"}
SUFFIXES = (("ing", "ING"), ("ed", "ED"), ("ly", "LY"), ("s", "S"))
NAMES = (*CLASSES, "COMMA", "SEMI", "STOP", "QUOTE", "CAP", *(name for _, name in SUFFIXES), "WORD")
OF_WORD = {word: name for name, words in CLASSES.items() for word in words.split()}
FUNCTION_WORDS = frozenset(OF_WORD)


def token_class(token: str) -> str:
    """The class of a token: a closed class of English, a mark, a suffix, CAP or WORD."""
    first = token[0]
    if first.isalpha():
        return _word_class(token)
    if first.isdigit():
        return "NUM"
    if first in ".!?…":
        return "STOP"
    return MARKS.get(token, "QUOTE" if first in '"“”«»' else "SEMI")


def _word_class(token: str) -> str:
    word = token.replace("’", "'").lower()
    if word in OF_WORD:
        return OF_WORD[word]
    if token[0].isupper():
        return "CAP"
    return next((name for end, name in SUFFIXES if word.endswith(end) and len(word) > 4), "WORD")


def class_sequence(prose: str) -> list[str]:
    """Classes of all tokens in order."""
    return [token_class(token) for token in TOKEN.findall(prose)]


def syntax(classes: Sequence[str], table: dict[tuple[str, str], float]) -> float:
    """Mean pointwise mutual information of neighbouring classes, bits, by the table of human pages.

    Church & Hanks 1990 for PMI. English keeps rules such as `the` before a noun: human pages lie
    near +0.5, the same words in random order below 0.
    """
    if len(classes) < 2:
        return 0.0
    return sum(table[pair] for pair in pairwise(classes)) / (len(classes) - 1)


def mattr(words: Sequence[str], window: int) -> float:
    """Moving-average type-token ratio (Covington & McFall 2010), every window counted.

    A text shorter than `window` is one window of its own length.
    """
    if not words:
        return 0.0
    size = min(window, len(words))
    counts = Counter(words[:size])
    total = len(counts)
    for i in range(size, len(words)):
        counts[words[i]] += 1
        counts[words[i - size]] -= 1
        if not counts[words[i - size]]:
            del counts[words[i - size]]
        total += len(counts)
    return total / size / (len(words) - size + 1)


def mtld(words: Sequence[str], threshold: float = 0.72) -> float:
    """Measure of textual lexical diversity (McCarthy & Jarvis 2010), mean of both directions."""
    return (_mtld(words, threshold) + _mtld(words[::-1], threshold)) / 2 if words else 0.0


def _mtld(words: Sequence[str], threshold: float) -> float:
    factors, types, count = 0.0, set[str](), 0
    for word in words:
        count += 1
        types.add(word)
        if len(types) / count <= threshold:
            factors, types, count = factors + 1, set(), 0
    if count:
        factors += (1 - len(types) / count) / (1 - threshold)
    return len(words) / factors if factors else float(len(words))


def repeated(items: Sequence[str], n: int) -> float:
    """Share of n-grams that stood earlier in the same sequence; 0 for a shorter one."""
    total = len(items) - n + 1
    if total < 1:
        return 0.0
    return 1 - len(set(zip(*(items[i:] for i in range(n)), strict=False))) / total


def taken_from(words: Sequence[str], source: Sequence[str], n: int) -> float:
    """Share of n-grams that stand in `source`; 0 for a sequence shorter than n."""
    known = set(zip(*(source[i:] for i in range(n)), strict=False))
    grams = list(zip(*(words[i:] for i in range(n)), strict=False))
    return sum(gram in known for gram in grams) / len(grams) if grams else 0.0


def repeated_in_windows(words: Sequence[str], n: int, window: int) -> float:
    """Mean of `repeated` over consecutive windows of equal length; the last, shorter one counts
    only where it is the only one."""
    cuts = [words[i : i + window] for i in range(0, len(words), window)]
    cuts = [cut for cut in cuts if len(cut) == window] or cuts[:1]
    return sum(repeated(cut, n) for cut in cuts) / len(cuts) if cuts else 0.0


def masked_words(prose: str) -> list[str]:
    """Words with names replaced by one mark, so that a copy with other names is still a copy.

    A name is a word with a capital that is no function word.
    """
    return [
        "@" if word[0].isupper() and word.replace("’", "'").lower() not in FUNCTION_WORDS
        else word.replace("’", "'").lower()
        for word in WORD.findall(prose)
    ]  # fmt: skip


def skeleton(prose: str) -> list[str]:
    """The pattern of the sentences: function words and marks kept, other words as their class."""
    found = []
    for token in TOKEN.findall(prose):
        word = token.replace("’", "'").lower()
        found.append(word if word in FUNCTION_WORDS else token_class(token))
    return found


def spread(values: Sequence[float]) -> float:
    """Standard deviation through mean; 0 where there is none."""
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / len(values)) / mean if mean else 0.0


def dialogue_share(page: Page) -> float:
    """Share of words between quotation marks, or in paragraphs that begin with a dash."""
    inside = 0
    for paragraph in page.paragraphs:
        if paragraph[:1] in "—–":
            inside += len(WORD.findall(paragraph))
            continue
        double = any(mark in paragraph for mark in '"“”')
        opened = False
        for token in _quote_tokens(paragraph, double):
            if token in ("open", "close", "flip"):
                opened = token == "open" or (token == "flip" and not opened)
            else:
                inside += opened
    return inside / max(1, len(page.words))


def _quote_tokens(paragraph: str, double: bool) -> list[str]:
    marks = {"“": "open", "”": "close", '"': "flip"} if double else {"‘": "open", "’": "close"}
    found = []
    for i, ch in enumerate(paragraph):
        before = paragraph[i - 1] if i else " "
        if ch in marks and not (
            ch == "’" and i + 1 < len(paragraph) and paragraph[i + 1].isalpha()
        ):
            found.append(marks[ch])
        elif ch.isalpha() and not (before.isalpha() or before in "'’"):
            found.append("word")
    return found


def orphan_quotes(prose: str) -> float:
    """Share of double quotation marks that close what nothing opened; `nan` below 4 marks.

    0 on 99 of 100 human pages of any kind of quotes; about a tenth once sentences are out of order.
    A first mark may close a speech that began before the page.
    """
    curly = "“" in prose and "”" in prose
    marks = [_opens(prose, found.start(), curly) for found in re.finditer('["“”]', prose)]
    if len(marks) < 4:
        return math.nan
    return sum(not a and not b for a, b in pairwise(marks)) / len(marks)


def _opens(prose: str, at: int, curly: bool) -> bool:
    """Does the mark open a speech? A straight one does behind a space and before a letter."""
    if curly and prose[at] != '"':
        return prose[at] == "“"
    before, after = prose[at - 1 : at] or " ", prose[at + 1 : at + 2] or " "
    return (before.isspace() or before in "([{—–-'‘“:*_") and not after.isspace()


def opener_variety(sentences: Sequence[str]) -> float:
    """Share of different pairs of first words among runs of 20 sentences (mean over the runs)."""
    openers = [" ".join(words_of(sentence)[:2]) for sentence in sentences]
    runs = [openers[i : i + 20] for i in range(0, len(openers), 20)]
    runs = [run for run in runs if len(run) == 20] or runs[:1]
    return sum(len(set(run)) / len(run) for run in runs) / len(runs) if runs else 0.0
