"""Measuring a collection: by the proxy's own search, with the contract's keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scifi_llm.documents import Note, Section
from scifi_llm.rag import embedding, evaluate, own_questions, trial
from scifi_llm.rag.dataset import Dataset, Judgement, Query
from scifi_llm.rag.passages import SearchRequest
from scifi_llm.rag.proxy.app import create_app
from scifi_llm.rag.proxy.settings import ProxySettings
from scifi_llm.rag.retrieval import Retriever

QUESTIONS = (
    "Who repairs the sounders?", "What does Jonas sell?", "When does the war begin?",
    "And who argues about water?", "Elena", "the ford",
)  # fmt: skip


def query(number: int, text: str, *gold: str, **rules: Any) -> Query:
    judged = tuple(Judgement(path, 1.0) for path in gold)
    return Query(str(number), SearchRequest(text, **rules), judged, "direct")


async def test_the_proxy_and_the_measurement_find_the_same_passages(collection: Path) -> None:
    retriever = Retriever(collection, "novel")
    rules: list[dict[str, Any]] = [
        {}, {"as_of": 1}, {"pov": "Elena Ruhl"}, {"history": (("user", "Who is Elena Ruhl?"),)},
    ]  # fmt: skip
    queries = [
        query(number, text, "plots/war.md", **rule)
        for number, (text, rule) in enumerate((q, r) for q in QUESTIONS for r in rules)
    ]
    scores = evaluate.measure(retriever, queries)
    upstream = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(404)))
    app = create_app(ProxySettings("novel", "http://up/v1"), retriever, upstream)
    texts = {chunk.id: chunk.text for chunk in retriever.collection().chunks}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost"
    ) as client:
        for one in queries:
            turns = [{"role": role, "content": text} for role, text in one.request.history]
            body = {"messages": [*turns, {"role": "user", "content": one.request.query}]}
            body |= {"as_of": one.request.as_of, "pov": one.request.pov, "budget_tokens": 100_000}
            answer = (await client.post("/rag/search", json=body)).json()
            found = "\n\n".join(result["text"] for result in answer["results"])
            assert found == "\n\n".join(texts[id_] for id_ in scores.found[one.id]), one
            assert found


def test_a_judged_set_is_indexed_and_measured(tmp_path: Path) -> None:
    text = "The lighthouse keeper counts ships."
    sections = [
        Section(Note("keeper", "Keeper"), (), text, 0, len(text)),
        Section(Note("maps", "Maps"), (), "Jonas sells maps at noon.", 0, 25),
    ]
    evidence = Query("2", SearchRequest("Who counts ships?"), (Judgement("keeper", 1.0, 0, 20),))
    dataset = Dataset("A set!", sections, [query(1, "maps of Jonas", "maps"), evidence], 2)
    chunks, rate = evaluate.build(dataset, tmp_path, embedding.BUNDLED)
    assert chunks == 2
    assert rate > 0
    retriever = Retriever(tmp_path, "set-A-set")
    scores = evaluate.measure(retriever, dataset.queries[:1])
    assert scores.mean("ndcg@10") == scores.mean("recall@5") == scores.mean("hit@1") == 1.0
    by_evidence = evaluate.measure(retriever, dataset.queries[1:])
    assert by_evidence.mean("ndcg@10") is None
    assert by_evidence.mean("hit@1") == by_evidence.mean("evidence_in_budget") == 1.0
    assert set(evaluate.report(by_evidence)) == {
        *evaluate.MEASURES, "evidence_in_budget", "latency_ms",
    }  # fmt: skip


def test_leaks_are_counted(collection: Path) -> None:
    asked = [query(1, "Who repairs the sounders?", "characters/elena.md")]
    retriever = Retriever(collection, "novel")
    assert evaluate.measure(retriever, asked).leaks == 0
    seen = evaluate.measure(
        retriever, asked, leaks=lambda _, p: p.chunk.note.path == "plots/war.md"
    )
    assert seen.leaks == 1


def test_the_settings_hash_changes_with_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    before = evaluate.settings_hash()
    assert evaluate.settings_hash() == before
    monkeypatch.setenv("TOP_K", "3")
    assert evaluate.settings_hash() != before


def test_known_items_come_from_the_collection(
    ingest: Callable[..., None], build: Callable[..., bool], notes: dict[str, str]
) -> None:
    words = (
        "lantern harbour grain winter sail cargo anchor rope compass storm north tide barrel oar "
        "hull deck mast"
    )
    notes["characters/tollan.md"] = (
        f"---\naliases: [the Needle]\n---\n# Tollan Wray\n\n## Early life\n\n{words}.\n"
    )
    ingest(notes)
    build()
    subject = trial.own_collection("novel")
    asked = {one.request.query: one.relevant[0].document for one in subject.queries}
    assert asked["Tell me about the Needle."] == "characters/tollan.md"
    assert asked["Tollan Wray: Early life?"] == "characters/tollan.md"
    assert [one.kind for one in subject.queries] == ["alias", "heading", "rare words"]
    assert subject.documents == len(notes)
    scores = evaluate.measure(Retriever(subject.root, "novel"), subject.queries)
    assert scores.mean("hit@1") == 1.0


def test_the_authors_questions_are_read(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(
        '{"query": "Who?", "gold": ["a.md"], "as_of": 2, "forbidden": ["b.md"]}\n\n'
        '{"id": "x", "kind": "none", "query": "What?", "gold": []}\n',
        "utf-8",
    )
    (first, forbidden), (second, nothing) = own_questions.read(file)
    assert first == Query("1", SearchRequest("Who?", as_of=2), (Judgement("a.md", 1.0),))
    assert forbidden == {"b.md"}
    assert (second.id, second.relevant, nothing) == ("x", (), frozenset())


@pytest.mark.parametrize("line", ["{", "[]", '{"query": "x"}', '{"query": "x", "gold": 5}'])
def test_a_broken_question_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text(f"\n{line}\n", "utf-8")
    with pytest.raises(Exception, match="line 2 is no question"):
        own_questions.read(file)
