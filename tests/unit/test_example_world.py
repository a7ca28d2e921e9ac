"""Check that the example world and its questions keep their contract."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WORLD = EXAMPLES / "scifi_world"
FOLDERS = {"characters", "worldbuilding", "plots", "research", "style", "chapters"}
TYPES = {"character", "place", "faction", "technology", "plot", "chapter", "style", "research"}
KEY_TYPES: dict[str, type] = {
    "type": str,
    "aliases": list,
    "always": bool,
    "from_chapter": int,
    "until_chapter": int,
    "known_by": list,
    "related": list,
    "chapter": int,
}
MINIMUM = {
    "direct": 16,
    "alias": 14,
    "paraphrase": 14,
    "followup": 14,
    "as_of": 14,
    "pov": 10,
    "unanswerable": 8,
}
QUESTION_KEYS = {
    "id", "kind", "query", "history", "gold", "as_of", "pov", "forbidden", "answer",
}  # fmt: skip


def parse(path: Path) -> dict[str, Any]:
    """Split one note into its front matter, title and body."""
    text = path.read_text(encoding="utf-8")
    meta: dict[str, Any] = {}
    if text.startswith("---\n"):
        head, text = text[4:].split("\n---\n", 1)
        meta = yaml.safe_load(head)
    title, _, body = text.lstrip().partition("\n")
    assert title.startswith("# "), path
    return {"meta": meta, "title": title[2:].strip(), "body": body}


NOTES: dict[str, dict[str, Any]] = {
    path.relative_to(WORLD).as_posix(): parse(path) for path in sorted(WORLD.rglob("*.md"))
}
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]


def words(note: dict[str, Any]) -> int:
    """Count the words of a note without its front matter."""
    return len(f"{note['title']} {note['body']}".split())


def visible(note: dict[str, Any], as_of: int | None, pov: str | None) -> bool:
    """Tell whether a note may be shown under the two filters of a question."""
    meta = note["meta"]
    if as_of is not None:
        first = max(meta.get("from_chapter", as_of), meta.get("chapter", as_of))
        if first > as_of or meta.get("until_chapter", as_of) < as_of:
            return False
    return pov is None or "known_by" not in meta or pov in meta["known_by"]


def test_counts() -> None:
    chapters = [path for path in NOTES if path.startswith("chapters/")]
    assert {path.split("/")[0] for path in NOTES} == FOLDERS
    assert len(chapters) == 5
    assert len(NOTES) - len(chapters) >= 45
    assert sum(map(words, NOTES.values())) >= 15_000
    assert max(words(note) for path, note in NOTES.items() if path not in chapters) > 1_500
    assert sorted(NOTES[path]["meta"]["chapter"] for path in chapters) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("path", NOTES)
def test_front_matter(path: str) -> None:
    meta = NOTES[path]["meta"]
    assert set(meta) <= set(KEY_TYPES)
    for key, value in meta.items():
        assert type(value) is KEY_TYPES[key], key
        if isinstance(value, list):
            assert value, key
            assert all(isinstance(item, str) for item in value), key
    assert meta.get("type", "plot") in TYPES


def test_titles_and_names() -> None:
    titles = [note["title"] for note in NOTES.values()]
    assert len(titles) == len(set(titles))
    people = {n["title"] for n in NOTES.values() if n["meta"].get("type") == "character"}
    assert max(Counter(name.split()[0] for name in people).values()) >= 2
    for path, note in NOTES.items():
        assert set(note["meta"].get("related", [])) <= set(titles), path
        assert set(note["meta"].get("known_by", [])) <= people, path
        for link in note["body"].split("[[")[1:]:
            assert link.split("]]")[0] in titles, path


def test_question_set() -> None:
    assert len(QUESTIONS) >= 80
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)
    kinds = Counter(question["kind"] for question in QUESTIONS)
    assert set(kinds) == set(MINIMUM)
    assert all(kinds[kind] >= least for kind, least in MINIMUM.items())
    assert QUESTIONS[0]["query"] == "What are Elena's key traits?"


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
def test_question(question: dict[str, Any]) -> None:
    assert set(question) <= QUESTION_KEYS
    as_of, pov = question.get("as_of"), question.get("pov")
    kind, gold, forbidden = question["kind"], question["gold"], question.get("forbidden", [])
    assert all(visible(NOTES[path], as_of, pov) for path in gold)
    assert not any(visible(NOTES[path], as_of, pov) for path in forbidden)
    assert len(gold) <= 3
    assert bool(gold) == bool(question["answer"]) == (kind != "unanswerable")
    assert ("history" in question) == (kind == "followup")
    if kind in {"as_of", "pov"}:
        assert kind in question
        assert forbidden
    if pov is not None:
        assert any(note["title"] == pov for note in NOTES.values())
    if kind == "alias":
        assert NOTES[gold[0]]["title"].lower() not in question["query"].lower()
