"""Budgets of whole notes, and which requests may share what they were given."""

from __future__ import annotations

from scifi_llm.documents import Note
from scifi_llm.rag.chunking import Chunk
from scifi_llm.rag.passages import Passage
from scifi_llm.rag.proxy.lookup import clean, fit_notes, rules_of, search_request
from scifi_llm.rag.proxy.options import RagOptions
from scifi_llm.rag.proxy.settings import ProxySettings


def passage(path: str, id_: str, words: int) -> Passage:
    return Passage("novel", (Chunk(id_, Note(path, "T"), (), "w " * words, 0, 1),), 1.0, "always")


def count(text: str) -> int:
    return len(text.split())


def test_notes_are_taken_whole_and_in_order() -> None:
    notes = [passage("a", "1", 9), passage("b", "2", 9), passage("b", "3", 9), passage("c", "4", 4)]
    kept, dropped = fit_notes(notes, 25, count)
    assert [p.chunk.id for p in kept] == ["1", "4"]  # b costs 20 and 15 are left
    assert [d.passage.chunk.id for d in dropped] == ["2", "3"]
    assert dropped[0].reason == "always: the note has 20 tokens, 15 of 25 were left"
    assert fit_notes(notes, 35, count) == (notes, [])
    assert fit_notes(notes, 0, count)[0] == fit_notes([], 9, count)[0] == []


def test_rules_are_what_decides_what_may_be_shown() -> None:
    settings = ProxySettings("novel", "http://x/v1", state=None)

    def rules(**asked: object) -> str:
        return rules_of(RagOptions(**asked), settings)  # type: ignore[arg-type]

    same = [{}, {"collections": ("novel",)}, {"top_k": 3, "budget_tokens": 9, "sources": "none"}]
    assert len({rules(**asked) for asked in same}) == 1
    assert rules(pov="Elena") == rules(pov=" elena ")
    other = [{}, {"as_of": 0}, {"as_of": 1}, {"pov": "Elena"}, {"collections": ("a", "novel")}]
    assert len({rules(**asked) for asked in other}) == len(other)


def test_half_surrogate_pairs_reach_no_tokenizer() -> None:
    request = search_request("a \ud800", (("user", "b \udfff"),), RagOptions())
    assert (request.query, request.history) == ("a ?", (("user", "b ?"),))
    assert clean("æ 😀") == "æ 😀"
