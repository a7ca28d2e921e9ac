"""What is measured on a model: losses, samples, copies, secrets. Runs the model through `Pair`."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from ..console import progress
from ..documents import Section
from ..prose.measures import repeated
from ..prose.slop import slop_per_1000
from ..prose.text import words_of
from .canaries import Canary, is_found
from .copies import Corpus
from .delta import Delta, Profile, Words, centroid, distance, left_out_distances, slices
from .encoding import prompt_ids
from .forms import Record
from .manuscript import read_manuscript
from .scoring import Pair
from .verdict import Loss, bounds

OPENING_TOKENS = 32  # of a held-out piece: what a sample goes on from
PIECE_WORDS = 120  # pieces that the other author's text is cut into
WORDS_A_TOKEN = 0.72  # of English prose, for the number of samples
MOVES = 300  # resamples of the samples
LEAST_WORDS = 2000  # fewer words of samples do not tell authors apart surely


def other_records(sections: Iterable[Section]) -> list[Record]:
    """Another author's prose as records of about PIECE_WORDS words."""
    found: list[Record] = []
    for chapter in read_manuscript(sections).chapters:
        kept: list[str] = []
        for place in chapter.places:
            kept.append(place.text)
            if sum(len(text.split()) for text in kept) >= PIECE_WORDS:
                found.append({"text": "\n\n".join(kept), "source": chapter.source})
                kept = []
    return found


def take(records: Sequence[Record], tokens: int, length: int) -> list[Record]:
    """Records spread evenly over all, of about `tokens` tokens when each is cut at `length`."""
    sizes = [min(length, int(r.get("tokens") or len(r["text"]) / 4)) for r in records]
    mean = sum(sizes) / max(1, len(sizes))
    wanted = max(1, min(len(records), round(tokens / max(1.0, mean))))
    return [records[i * len(records) // wanted] for i in range(wanted)]


def measure_losses(pair: Pair, records: Sequence[Record], length: int, label: str) -> list[Loss]:
    """Losses of each record before and after; what has no counted token is left out."""
    losses = (pair.losses(record, length) for record in records)
    return [loss for loss in progress(losses, len(records), label, "pieces") if loss.tokens]


def write_samples(
    pair: Pair, records: Sequence[Record], words: int, tokens: int
) -> list[dict[str, str]]:
    """Samples of at least about `words` words in all, before and after, from held-out openings."""
    count = max(2, round(words / (tokens * WORDS_A_TOKEN) + 0.5))
    chosen = [records[i * len(records) // count] for i in range(count)]
    prompts, shown = [], []
    for record in chosen:
        opening = pair.tokenizer(record["text"], add_special_tokens=False)["input_ids"][
            :OPENING_TOKENS
        ]
        prompts.append(prompt_ids(record, pair.tokenizer) + opening)
        shown.append(pair.tokenizer.decode(opening))
    made = {}
    for name, on in (("before", False), ("after", True)):
        texts = pair.write(prompts, tokens, on)
        made[name] = list(progress(texts, count, f"Samples {name}", "samples"))
    return [
        {"opening": opening, "before": before, "after": after}
        for opening, before, after in zip(shown, made["before"], made["after"], strict=True)
    ]


def moved(delta: Delta, home: Profile, pairs: Sequence[tuple[Words, Words]]) -> tuple[float, float]:
    """Bounds of Delta after - Delta before, by bootstrap over samples: (before, after) of each.
    Below 0: the samples came nearer."""
    pick = random.Random(5)
    found = []
    for _ in range(MOVES):
        chosen = pick.choices(pairs, k=len(pairs))
        before, after = ([w for pair in chosen for w in pair[i]] for i in (0, 1))
        found.append(distance(delta.profile(after), home) - distance(delta.profile(before), home))
    return bounds(sorted(found))


def measure_style(
    samples: Sequence[dict[str, str]], author: str, held_out: str, other: str
) -> dict[str, Any]:
    """Delta of the samples to the author, beside the author's own spread and the other's distance;
    slop and repetition. `author` is the training text."""
    own = slices(words_of(author)) + slices(words_of(held_out))
    others = slices(words_of(other))
    delta = Delta([own, others])
    profiles = [delta.profile(words) for words in own]
    home = centroid(profiles)
    spread = sorted(left_out_distances(profiles)) or [0.0]
    texts = {name: "\n\n".join(sample[name] for sample in samples) for name in ("before", "after")}
    words = {name: words_of(text) for name, text in texts.items()}
    pairs = [(words_of(sample["before"]), words_of(sample["after"])) for sample in samples]
    return {
        **{name: distance(delta.profile(words[name]), home) for name in texts},
        "moved": moved(delta, home, pairs),
        "own_low": spread[0],
        "own_high": spread[-1],
        "other": min((distance(delta.profile(w), home) for w in others), default=1.0),
        "words": {name: len(words[name]) for name in texts},
        "reliable": min(map(len, words.values())) >= LEAST_WORDS,
        "slop_per_1000": {"author": slop_per_1000(held_out)}
        | {name: slop_per_1000(text) for name, text in texts.items()},
        "repeated_4_grams": {"author": repeated(words_of(held_out)[: len(words["after"])], 4)}
        | {name: repeated(words[name], 4) for name in texts},
    }


def measure_copies(
    pair: Pair,
    train: Sequence[Record],
    held_out: str,
    samples: Sequence[dict[str, str]],
    openings: int,
    tokens: int,
) -> dict[str, Any]:
    """Longest run and share of 8-grams that stand in the training text: of the samples, of the
    greedy continuations of training openings, and of the held-out chapters (what is natural)."""
    corpus = Corpus(record["text"] for record in train)
    chosen = [train[i * len(train) // openings] for i in range(openings)]
    prompts = [
        prompt_ids(record, pair.tokenizer)
        + pair.tokenizer(record["text"], add_special_tokens=False)["input_ids"][:OPENING_TOKENS]
        for record in chosen
    ]
    runs: dict[str, Any] = {"held_out": corpus.longest_run(held_out)[0]}
    shares: dict[str, float] = {"held_out": corpus.copied_share(held_out)}
    text = ""
    for name, on in (("before", False), ("after", True)):
        continued = list(pair.write(prompts, tokens, on, greedy=True))
        texts = [sample[name] for sample in samples] + continued
        longest = max((corpus.longest_run(text) for text in texts), default=(0, ""))
        runs[name], shares[name] = longest[0], corpus.copied_share("\n\n".join(texts))
        text = longest[1]
    return {"longest_run": runs, "copied_8_grams": shares, "longest_text": text}


def measure_canaries(pair: Pair, canaries: Sequence[Canary]) -> list[dict[str, Any]]:
    """For each canary whether the trained model knows it, and the base does not."""
    found = []
    for canary in progress(canaries, len(canaries), "Secrets", "secrets"):
        own, others = pair.secret_losses(canary)
        known = is_found(own, others) and not is_found(*pair.secret_losses(canary, on=False))
        rank = 1 + sum(other < own for other in others)
        found.append(
            {
                "text": canary.prefix + canary.secret,
                "repeats": canary.repeats,
                "found": known,
                "rank": rank,
                "of": len(others) + 1,
            }
        )
    return found
