"""A small novel of our own making, long enough to be split."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

WORDS = [
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "harbour",
    "lamp",
    "keeper",
    "ice",
    "river",
    "night",
    "signal",
    "hull",
    "captain",
    "count",
    "bell",
    "door",
    "winter",
    "map",
    "letter",
    "voice",
    "engine",
    "salt",
    "rope",
    "hand",
    "window",
    "tide",
    "wire",
    "star",
    "cold",
    "iron",
    "glass",
    "bread",
    "morning",
    "road",
    "stone",
    "water",
    "fire",
    "house",
    "ship",
    "song",
    "name",
    "child",
    "table",
]


def sentences(pick: random.Random, count: int) -> str:
    made = (" ".join(pick.choices(WORDS, k=pick.randint(6, 16))) for _ in range(count))
    return " ".join(f"{text.capitalize()}." for text in made)


def prose(pick: random.Random, paragraphs: int) -> str:
    return "\n\n".join(sentences(pick, pick.randint(2, 5)) for _ in range(paragraphs))


@pytest.fixture
def novel(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """`novel(chapters=9, name="novel.md")` writes a file into the input folder and returns it."""
    folder = tmp_path / "input"
    folder.mkdir()

    def write(chapters: int = 9, name: str = "novel.md", seed: int = 1, more: str = "") -> Path:
        pick = random.Random(seed)
        parts = ["# The Lamp Keeper\n\n*A. N. Author*\n\nCopyright 2026 by A. N. Author\n"]
        for number in range(1, chapters + 1):
            first, second = prose(pick, 6), prose(pick, 5)
            parts.append(f"## Chapter {number}. The Door\n\n{first}\n\n***\n\n{second}\n")
        (folder / name).write_text("\n".join(parts) + more, encoding="utf-8")
        return folder

    return write
