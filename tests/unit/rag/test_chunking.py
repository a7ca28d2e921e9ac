"""Chunking by value and by property: nothing lost, nothing twice, nothing too long."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import Note, Section
from scifi_llm.rag.chunking import chunk_sections, pack

NOTE = Note(path="a.md", title="Elena Ruhl")
TEXTS = st.text(alphabet=st.sampled_from("ab cé.!?\n\"'…—"), max_size=400)


class Fake:
    """A tokenizer whose tokens are the matches of a pattern."""

    special = 0

    def __init__(self, limit: int, pattern: str = r"\S+") -> None:
        self.limit, self.pattern = limit, re.compile(pattern)

    def starts(self, texts: Sequence[str]) -> list[list[int]]:
        return [[match.start() for match in self.pattern.finditer(text)] for text in texts]


def words(text: str) -> int:
    return len(text.split())


def section(text: str, heading: tuple[str, ...] = ("Elena Ruhl", "Traits")) -> Section:
    return Section(NOTE, heading, text, 100, 100 + len(text))


def squeezed(text: str) -> str:
    return "".join(text.split())


def packed(text: str, room: int, target: int | None = None) -> list[tuple[int, int]]:
    return pack(text, range(len(text)), room, target or room)


@given(TEXTS, st.integers(1, 40), st.integers(1, 40))
def test_pack_loses_nothing_and_repeats_nothing(text: str, room: int, target: int) -> None:
    spans = packed(text, room, min(room, target))
    assert squeezed("".join(text[a:b] for a, b in spans)) == squeezed(text)
    assert all(b <= c for (_, b), (c, _) in pairwise(spans))


@given(TEXTS, st.integers(1, 40))
def test_pack_never_exceeds_the_room(text: str, room: int) -> None:
    for start, end in packed(text, room):
        assert 0 < end - start <= room
        assert text[start:end] == text[start:end].strip()


def story(seed: int, paragraphs: int = 400) -> list[str]:
    """Paragraphs of 1 to 9 sentences of 4 to 14 words."""
    dice = random.Random(seed)
    return [
        " ".join(
            " ".join(f"w{dice.randrange(5000)}" for _ in range(dice.randint(4, 14))) + "."
            for _ in range(dice.randint(1, 9))
        )
        for _ in range(paragraphs)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_an_edit_moves_no_cut_beyond_a_few_chunks(seed: int) -> None:
    dice, paragraphs = random.Random(seed), story(seed)

    def cut(parts: list[str]) -> list[str]:
        return [c.text for c in chunk_sections([section("\n\n".join(parts))], Fake(200))]

    before = cut(paragraphs)
    touched = []
    for place in [0, 1, 2, *dice.sample(range(400), 30)]:
        edited = list(paragraphs)
        edited[place : place + dice.randint(0, 2)] = story(dice.randrange(999), dice.randint(0, 2))
        after = cut(edited)
        touched.append(len(set(after) - set(before)))
    assert len(before) > 70
    assert sum(touched) / len(touched) < 10
    assert max(touched) < 40


@pytest.mark.parametrize("seed", range(3))
def test_passages_are_of_like_size(seed: int) -> None:
    text = "\n\n".join(story(seed))
    sizes = [words(chunk.text) for chunk in chunk_sections([section(text)], Fake(200))]
    assert sum(sizes) / len(sizes) > 140
    assert min(sizes) > 30


@given(st.lists(TEXTS, max_size=3), st.integers(24, 60))
def test_no_chunk_exceeds_the_limit_by_a_tokenizer_that_looks_around(
    texts: list[str], limit: int
) -> None:
    # A word counts double at the start of a text: passages are longer alone than within it.
    class Around(Fake):
        def starts(self, texts: Sequence[str]) -> list[list[int]]:
            plain = super().starts(texts)
            return [[*one[:1], *one] for one in plain]

    tokenizer = Around(limit)
    for chunk in chunk_sections(map(section, texts), tokenizer):
        assert len(tokenizer.starts([chunk.embedded])[0]) <= limit


@given(st.lists(TEXTS, max_size=5))
def test_ids_are_unique_and_stable(texts: list[str]) -> None:
    chunks = chunk_sections(map(section, texts), Fake(20))
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    assert chunks == chunk_sections(map(section, texts), Fake(20))


@given(TEXTS)
def test_offsets_point_into_the_file(text: str) -> None:
    for chunk in chunk_sections([section(text)], Fake(20)):
        assert text[chunk.start - 100 : chunk.end - 100] == chunk.text


def test_paragraphs_are_packed_and_the_context_is_counted() -> None:
    text = "One two.\n\nThree four.\n\nFive six seven."
    chunks = chunk_sections([section(text)], Fake(8))
    assert [chunk.text for chunk in chunks] == ["One two.\n\nThree four.", "Five six seven."]
    assert chunks[0].embedded == "Elena Ruhl > Traits\nOne two.\n\nThree four."
    assert all(words(chunk.embedded) <= 8 for chunk in chunks)


def test_long_paragraphs_end_at_sentences() -> None:
    text = 'He said "stop." She did not. The well was dark! Nobody knew why.'
    chunks = chunk_sections([section(text, ())], Fake(9))
    assert [chunk.text for chunk in chunks] == [
        'He said "stop." She did not.',
        "The well was dark! Nobody knew why.",
    ]


def test_an_edit_changes_only_the_chunk_it_touches() -> None:
    before = ["First part stays.", "Second part changes.", "Third part stays."]
    after = ["First part stays.", "Second part is new.", "Third part stays."]
    old = {chunk.id for chunk in chunk_sections(map(section, before), Fake(20))}
    new = {chunk.id for chunk in chunk_sections(map(section, after), Fake(20))}
    assert len(old & new) == 2


@pytest.mark.parametrize(
    "whole",
    [
        "Dr. J. K. Elena met Capt. Ruhl at St. Anne's.",
        "Wait ... what did he mean? He waited... and left.",
        "“Stop!” he said. “Do you hear? The ford opens.” She did.",
        "She said “No. Never. Not again!” and went.",
    ],
)
def test_sentences_are_not_cut_where_they_do_not_end(whole: str) -> None:
    ends = {
        "Dr. J. K. Elena met Capt. Ruhl at St. Anne's.",
        "Wait ... what did he mean?",
        "He waited... and left.",
        "“Stop!” he said.",
        "“Do you hear? The ford opens.”",
        "She did.",
        "She said “No. Never. Not again!” and went.",
    }
    room = max(words(sentence) for sentence in ends)
    text = f"{whole} {'A b c d e f g h i.'} {whole}"
    for chunk in chunk_sections([section(text, ())], Fake(room + 2)):
        rest = chunk.text
        for sentence in sorted([*ends, "A b c d e f g h i."], key=len, reverse=True):
            rest = rest.replace(sentence, "")
        assert not rest.strip(), chunk.text


@pytest.mark.parametrize("mark", ["***", "* * *", "---", "#", "⁂", "~~~"])
def test_a_scene_break_is_a_cut(mark: str) -> None:
    scene = "One two three four five six seven eight."
    text = f"{scene}\n\n{mark}\n\n{scene} More.\n\nLast."
    chunks = chunk_sections([section(text, ())], Fake(18))
    assert [c.text for c in chunks] == [scene, f"{mark}\n\n{scene} More.\n\nLast."]


def test_a_long_heading_leaves_room_for_the_text() -> None:
    text = "Word " * 300
    chunks = chunk_sections([section(text, ("Part " * 200, "End of it"))], Fake(256, r"\S"))
    for chunk in chunks:
        assert len(squeezed(chunk.embedded)) <= 256
        assert len(chunk.text) > 100
    assert chunks[0].embedded.startswith("Elena Ruhl > Part Part")
    assert "> End of it\n" in chunks[0].embedded


def test_target_is_apart_from_the_limit() -> None:
    text = "\n\n".join(story(1, 60))
    small = chunk_sections([section(text)], Fake(200), 80)
    assert len(small) > 1.7 * len(chunk_sections([section(text)], Fake(200)))
    assert max(words(chunk.embedded) for chunk in small) <= 200
