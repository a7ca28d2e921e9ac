"""Texts that only look like a page, each about as long as the page they are made from."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from scifi_llm.prose.text import read_page

PROMPT = (
    "Write a scene of about six hundred words in which an engineer finds a fault in the drive of a "
    "survey ship. Use precise technical language, keep the point of view in the third person, and "
    "end on a decision. Avoid clichés. Show what is at stake for the crew."
)
SALAD = """
window quantum purple running harbour seven engine gently bread orbit mother theory glass under
velvet signal because kitchen asteroid marble whisper ladder copper however winter planet decide
ribbon the circuit apple forward silence of captain memory a paint gravity and button river
"""
SYLLABLES = "ka lo mi ren tu vash el or bin qua ster fi dol ya"
NOUNS = "ship engine planet captain signal hull star moon sensor door light storm"
VERBS = "hums turns shakes glows waits breaks opens falls fades moves"
WORDS = SALAD.split()
SLOP = (
    "The air was thick with tension as Elara gazed into the vast expanse, her heart pounding. "
    "It was not just a ship; it was a testament to the indomitable human spirit. A shiver ran "
    "down her spine. The bioluminescent tapestry shimmered, whispering of unspoken realms. "
    "“We are not alone,” Kael whispered, his voice barely above a whisper. Something "
    "flickered in his eyes, a mix of fear and wonder. The silence was heavy with the weight "
    "of unspoken words. It wasn't a signal. It was a symphony. She let out a breath she "
    "hadn't known she was holding, her resolve unwavering. Ethereal tendrils of light pulsed "
    "and swirled, a kaleidoscope of intricate, shimmering hope. Little did they know that the "
    "journey would test the very fabric of their camaraderie. "
)


def fill(piece: str, words: int) -> str:
    """`piece` again and again, cut at a number of words."""
    return " ".join((piece.split() * (words // max(1, len(piece.split())) + 1))[:words])


def shuffled_words(text: str, rng: random.Random) -> str:
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)


def shuffled_in_sentences(text: str, rng: random.Random) -> str:
    out = []
    for sentence in read_page(text).sentences:
        words = [w.strip('.,;:!?"“”').lower() for w in sentence.split()]
        rng.shuffle(words)
        out.append(" ".join(words).capitalize() + ".")
    return " ".join(out)


def repeated_paragraphs(text: str, rng: random.Random) -> str:
    paragraphs = read_page(text).paragraphs
    few, count = [], 0
    for paragraph in paragraphs:
        few.append(paragraph)
        count += len(paragraph.split())
        if count >= max(40, len(text.split()) // 4):
            break
    times = max(2, round(len(text.split()) / max(1, count)))
    return "\n\n".join(few * times)


def renamed_copies(text: str, rng: random.Random) -> str:
    sentences = read_page(text).sentences
    quarter = " ".join(sentences[: max(3, len(sentences) // 4)])
    names = sorted(set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", quarter)))
    copies = []
    for other in ("Ada", "Bruno", "Cleo", "Dmitri"):
        copy = quarter
        for name in names:
            copy = re.sub(rf"\b{name}\b", other, copy)
        copies.append(copy)
    return "\n\n".join(copies)


def bullets(text: str, rng: random.Random) -> str:
    return "\n".join(f"- {sentence}" for sentence in read_page(text).sentences)


def items(text: str, rng: random.Random) -> str:
    words = [w for w in re.findall(r"[a-z]{5,}", text.lower())]
    return "\n".join(f"{i}. {word}" for i, word in enumerate(words, 1))


def plain_items(text: str, rng: random.Random) -> str:
    words = re.findall(r"[a-z]{4,}", text.lower())
    return "\n".join(" ".join(words[i : i + 3]) for i in range(0, len(words), 3))


def commas(text: str, rng: random.Random) -> str:
    return ", ".join(re.findall(r"[a-z]{4,}", text.lower())) + "."


def table(text: str, rng: random.Random) -> str:
    words = text.split()
    rows = ["| " + " | ".join(words[i : i + 4]) + " |" for i in range(0, len(words), 4)]
    return "| a | b | c | d |\n| --- | --- | --- | --- |\n" + "\n".join(rows)


def random_salad(text: str, rng: random.Random) -> str:
    out = []
    for _ in range(len(text.split()) // 12):
        out.append(" ".join(rng.choice(WORDS) for _ in range(rng.randrange(5, 20))).capitalize())
    return ". ".join(out) + "."


def vocabulary_salad(text: str, rng: random.Random) -> str:
    """Different words of the page, each as likely, in sentences with capitals and full stops."""
    words = sorted(set(re.findall(r"[a-z]+", text.lower())))
    out = []
    for _ in range(len(text.split()) // 12):
        out.append(" ".join(rng.choice(words) for _ in range(12)).capitalize() + ".")
    return " ".join(out)


def keys(text: str, rng: random.Random) -> str:
    return " ".join(
        "".join(rng.choice("asdfghjklqwertyuiop") for _ in range(rng.randrange(2, 10)))
        + rng.choice(["", "", "", "", ".", ","])
        for _ in text.split()
    )


def gibberish(text: str, rng: random.Random) -> str:
    syllables = SYLLABLES.split()
    out = []
    for _ in range(len(text.split()) // 10):
        words = [
            "".join(rng.choice(syllables) for _ in range(rng.randrange(1, 4))) for _ in range(10)
        ]
        out.append(" ".join(words).capitalize() + ".")
    return " ".join(out)


def one_sentence(text: str, rng: random.Random) -> str:
    return " ".join(re.sub(r"[^\w\s']", "", text).lower().split()) + "."


def templated(text: str, rng: random.Random) -> str:
    nouns, verbs = NOUNS.split(), VERBS.split()
    return " ".join(
        f"The {rng.choice(nouns)} {rng.choice(verbs)} near the {rng.choice(nouns)}."
        for _ in range(len(text.split()) // 6)
    )


def counting(text: str, rng: random.Random) -> str:
    return ", ".join(str(i) + " crates" for i in range(len(text.split()) // 1))


def looped_sentence(text: str, rng: random.Random) -> str:
    return fill(max(read_page(text).sentences[:4], key=len), len(text.split()))


def looped_start(text: str, rng: random.Random) -> str:
    """A page that begins well and then loops, as small models do."""
    words = text.split()
    third = len(words) // 3
    return " ".join(words[:third]) + " " + fill(" ".join(words[third : third + 12]), 2 * third)


Maker = Callable[[str, random.Random], str]
MAKERS: dict[str, Maker] = {
    "loop": lambda text, rng: fill("The ship moved on and on into the dark.", len(text.split())),
    "loop of a word": lambda text, rng: fill("very", len(text.split())),
    "loop of a sentence": looped_sentence,
    "loop after a good start": looped_start,
    "shuffled words": shuffled_words,
    "shuffled words in sentences": shuffled_in_sentences,
    "reversed words": lambda text, rng: " ".join(text.split()[::-1]),
    "random salad": random_salad,
    "salad of the page's words": vocabulary_salad,
    "copied prompt": lambda text, rng: fill(PROMPT, len(text.split())),
    "bullets": bullets,
    "numbered items": items,
    "plain items": plain_items,
    "commas": commas,
    "table": table,
    "code": lambda text, rng: f"```\n{text}\n```",
    "repeated paragraphs": repeated_paragraphs,
    "copies with other names": renamed_copies,
    "capitals": lambda text, rng: text.upper(),
    "alternating capitals": lambda text, rng: "".join(
        ch.upper() if i % 2 else ch.lower() for i, ch in enumerate(text)
    ),
    "title case": lambda text, rng: " ".join(w[:1].upper() + w[1:] for w in text.split()),
    "one sentence": one_sentence,
    "keys": keys,
    "gibberish": gibberish,
    "template": templated,
    "counting": counting,
    "letters apart": lambda text, rng: " ".join(
        ch for ch in text[: len(text) // 2] if ch.isalpha()
    ),
    "slop": lambda text, rng: fill(SLOP, len(text.split())),
}
