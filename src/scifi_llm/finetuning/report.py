"""The numbers of an evaluation as one HTML page without anything from elsewhere. Pure."""

from __future__ import annotations

import random
from html import escape
from typing import Any

_STYLE = """body{font:16px/1.5 Georgia,serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#222;background:#fff}table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #bbb;
padding:.3rem .6rem;text-align:right}td:first-child,th:first-child{text-align:left}
.verdict{border-left:4px solid #225;padding:.5rem 1rem;background:#f2f2f8}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1.5rem}.pair p{white-space:pre-wrap}
.opening{color:#666;font-style:italic}"""


def html(numbers: dict[str, Any]) -> str:
    """The report of `evaluate`'s numbers with their verdict."""
    parts = [
        f"<h1>{escape(numbers['base'])} and its adapter</h1>",
        f'<p class="verdict">{escape(numbers["verdict"])}</p>',
        "<h2>Perplexity</h2>",
        _perplexity(numbers["perplexity"]),
        "<h2>Style</h2>",
        _style(numbers["delta"]),
        "<h2>Memorisation</h2>",
        _memorisation(numbers["memorisation"]),
        "<h2>Samples, blind</h2>",
        _samples(numbers["samples"]),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>Evaluation</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table><tr>{cells}</tr>{''.join(lines)}</table>"


def _perplexity(numbers: dict[str, Any]) -> str:
    rows = []
    for name, label in (("author", "the author, held out"), ("other", "another author")):
        entry = numbers[name]
        rows.append(
            [
                label,
                f"{numbers['tokens'][name]:,}",
                f"{entry['before']:.2f}",
                f"{entry['after']:.2f}",
                f"{entry['value']:+.1%}",
                f"{entry['low']:+.1%} to {entry['high']:+.1%}",
            ]
        )
    head = ["text", "tokens", "before", "after", "change", "95 % of it"]
    return (
        _table(head, rows) + "<p>Lower is better. Bounds by bootstrap over pieces of the text.</p>"
    )


def _style(numbers: dict[str, Any]) -> str:
    words = numbers["words"]
    rows = [
        ["the author's own 2,000 words", f"{numbers['own_low']:.3f} to {numbers['own_high']:.3f}"],
        [f"samples before ({words['before']:,} words)", f"{numbers['before']:.3f}"],
        [f"samples after ({words['after']:,} words)", f"{numbers['after']:.3f}"],
        ["change, 95 % of it", "{:+.3f} to {:+.3f}".format(*numbers["moved"])],
        ["another author", f"{numbers['other']:.3f}"],
    ]
    more = [
        [label, *(f"{numbers[key][name]:.3f}" for name in ("author", "before", "after"))]
        for key, label in (
            ("slop_per_1000", "overused words in 1,000"),
            ("repeated_4_grams", "repeated runs of 4 words"),
        )
    ]
    doubt = "" if numbers["reliable"] else "<p>Fewer than 2,000 words: not reliable.</p>"
    return (
        _table(["text", "cosine Delta to the author"], rows)
        + doubt
        + _table(["measure", "the author", "before", "after"], more)
    )


def _memorisation(numbers: dict[str, Any]) -> str:
    runs, shares = numbers["longest_run"], numbers["copied_8_grams"]
    rows = [
        [label, str(runs[name]), f"{shares[name]:.2%}"]
        for name, label in (
            ("held_out", "held-out chapters (natural)"),
            ("before", "before"),
            ("after", "after"),
        )
    ]
    page = _table(["text", "longest copied run, words", "copied 8-grams"], rows)
    if numbers["longest_text"]:
        page += f"<p>Longest after training: <i>{escape(numbers['longest_text'])}</i></p>"
    canaries = [
        [
            entry["text"],
            str(entry["repeats"]),
            f"{entry['rank']} of {entry['of']}",
            "found" if entry["found"] else "not found",
        ]
        for entry in numbers["canaries"]
    ]
    return page + (_table(["secret", "times planted", "rank", ""], canaries) if canaries else "")


def _samples(samples: list[dict[str, str]]) -> str:
    """Which side is which is told below each pair, folded away."""
    pick = random.Random(0)
    parts = []
    for sample in samples:
        sides = ["before", "after"]
        pick.shuffle(sides)
        texts = "".join(f"<p>{escape(sample[side].strip())}</p>" for side in sides)
        key = f"left: {sides[0]} training, right: {sides[1]} training"
        parts.append(
            f'<p class="opening">{escape(sample["opening"].strip())} …</p><div class="pair">{texts}'
            f"</div><details><summary>Which is which?</summary>{key}</details><hr>"
        )
    return "\n".join(parts)
