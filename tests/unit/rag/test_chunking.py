"""Chunking by value and by property: nothing lost, nothing twice, nothing too long."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.documents import Note, Section
from scifi_llm.rag.chunking import chunk_sections, pack

NOTE = Note(path="a.md", title="Elena Ruhl")
TEXTS = st.text(alphabet=st.sampled_from("ab cé.!?\n\"'…—"), max_size=400)


def words(text: str) -> int:
    return len(text.split())


def section(text: str, heading: tuple[str, ...] = ("Elena Ruhl", "Traits")) -> Section:
    return Section(NOTE, heading, text, 100, 100 + len(text))


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(TEXTS, st.integers(1, 40))
def test_pack_loses_nothing_and_repeats_nothing(text: str, room: int) -> None:
    spans = list(pack(text, len, room))
    assert squeezed("".join(text[a:b] for a, b in spans)) == squeezed(text)
    assert all(b <= c for (_, b), (c, _) in pairwise(spans))


@given(TEXTS, st.integers(1, 40))
def test_pack_never_exceeds_the_room(text: str, room: int) -> None:
    for start, end in pack(text, len, room):
        assert 0 < end - start <= room
        assert text[start:end] == text[start:end].strip()


@given(st.lists(TEXTS, max_size=5))
def test_ids_are_unique_and_stable(texts: list[str]) -> None:
    chunks = chunk_sections(map(section, texts), words, 20)
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    assert chunks == chunk_sections(map(section, texts), words, 20)


@given(TEXTS)
def test_offsets_point_into_the_file(text: str) -> None:
    for chunk in chunk_sections([section(text)], words, 20):
        assert text[chunk.start - 100 : chunk.end - 100] == chunk.text


def test_paragraphs_are_packed_and_the_context_is_counted() -> None:
    text = "One two.\n\nThree four.\n\nFive six seven."
    chunks = chunk_sections([section(text)], words, 8)
    assert [chunk.text for chunk in chunks] == ["One two.\n\nThree four.", "Five six seven."]
    assert chunks[0].embedded == "Elena Ruhl > Traits\nOne two.\n\nThree four."
    assert all(words(chunk.embedded) <= 8 for chunk in chunks)


def test_long_paragraphs_end_at_sentences() -> None:
    text = 'He said "stop." She did not. The well was dark! Nobody knew why.'
    chunks = chunk_sections([section(text, ())], words, 9)
    assert [chunk.text for chunk in chunks] == [
        'He said "stop." She did not.',
        "The well was dark! Nobody knew why.",
    ]


def test_an_edit_changes_only_the_chunk_it_touches() -> None:
    before = ["First part stays.", "Second part changes.", "Third part stays."]
    after = ["First part stays.", "Second part is new.", "Third part stays."]
    old = {chunk.id for chunk in chunk_sections(map(section, before), words, 20)}
    new = {chunk.id for chunk in chunk_sections(map(section, after), words, 20)}
    assert len(old & new) == 2
