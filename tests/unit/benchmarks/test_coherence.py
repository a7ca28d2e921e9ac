# ruff: noqa: E501  # sentences and scripts are read as a whole
"""A long story by rule: what is forgotten beyond a length, and contradictions planted in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from scifi_llm.benchmarks import coherence, recall, story
from scifi_llm.console import run_main
from scifi_llm.prose.text import read_page

REPO = Path(__file__).resolve().parents[3]
CHAPTERS = sorted((REPO / "examples/scifi_world/chapters").glob("*.md"))
# Said in the words of a story, not in those in which the facts were planted.
WRONG = {
    "eyes": "Elena Ruhl looked up, and her brown eyes were wet.",
    "age": "“I am forty-one years old,” said Elena Ruhl, “and I still count.”",
    "born": "Elena Ruhl had grown up in Halyard Slip, over a chandler's.",
    "brother": "Anselm Ruhl was Elena Ruhl's cousin, and had her hands.",
    "rank": "Marcus Holt had signed on as a cook, and cooked.",
    "drums": "The survey ship was named the Gentle Correction, in brass.",
    "crew": "There were sixty-three people in the crew of the Patient Argument.",
    "captain": "The wind took Ishbel Ågren's cap, and her black hair came down.",
}
REMEMBERS = 6000  # words that the rule looks back


def filler(number: int) -> str:
    """A thousand words of the example world without the names that the facts are about."""
    text = "\n\n".join(p for f in CHAPTERS for p in read_page(f.read_text("utf-8")).paragraphs)
    for name, other in (("Elena", "Oda"), ("Ruhl", "Quell"), ("Ågren", "Sand"), ("Marcus", "Ivo"), ("Anselm", "Bo")):  # fmt: skip
        text = text.replace(name, other)
    words = text.split(" ")
    start = (number * 700) % (len(words) - 1000)
    return " ".join(words[start : start + 1000])


def writer(wrong: dict[int, str]) -> Any:
    """Writes chapters; puts the sentences of `wrong` into them; remembers facts for a while."""

    def rule(body: dict[str, Any]) -> tuple[str, str]:
        last = body["messages"][-1]["content"]
        chapter = re.match(r"Write chapter (\d+):", last)
        if chapter:
            number = int(chapter[1])
            text = filler(number)
            if number in wrong:
                text += f"\n\n{wrong[number]}\n\nNobody spoke."
            return text, "stop"
        known = next(p for p in story.plants() if p.question in last)
        before = len(last.split("\n\n---\n\n")[0].split())
        return (known.sentence if before < REMEMBERS else "I do not know."), "stop"

    return rule


def test_the_full_length_with_planted_contradictions(serving: Any, benchmark_run: Any) -> None:
    wrong = {2 * i + 3: sentence for i, sentence in enumerate(WRONG.values())}
    with serving(writer(wrong)) as (url, seen):
        status, data = benchmark_run(coherence, "--base-url", url)
    assert status == 0
    (found,) = data["summary"]["stories"].values()
    assert found["words"] >= 20000
    (check,) = [item for item in data["items"] if item["kind"] == "check"]
    contradicted = {
        row["id"]: row["quote"] for row in check["facts"] if row["verdict"] == "contradicted"
    }
    right = [name for name, quote in contradicted.items() if quote == WRONG[name]]
    print(f"precision {len(right)}/{len(contradicted)}, recall {len(right)}/{len(WRONG)}")
    assert right == list(contradicted) == list(WRONG)
    recall = {point["depth"]: point["recall"]["mean"] for point in found["curve"]}
    assert recall == {2000: 1.0, 5000: 1.0, 10000: 0.0, 20000: 0.0}
    assert found["effective_words"] == 5000
    assert "Elena Ruhl, the sounder, has grey eyes." in seen[0]["messages"][-1]["content"]


def test_the_untouched_story_is_clean(serving: Any, benchmark_run: Any) -> None:
    with serving(writer({})) as (url, _):
        _, data = benchmark_run(coherence, "--base-url", url)
    (check,) = [item for item in data["items"] if item["kind"] == "check"]
    assert check["contradictions"] == 0


@pytest.mark.parametrize("plant", story.plants(), ids=lambda p: p.fact.id)
def test_short_answers_are_understood(plant: story.Plant) -> None:
    assert recall.judge_answer(plant.fact, plant.sentence) == "kept"
    assert recall.judge_answer(plant.fact, WRONG[plant.fact.id]) == "contradicted"
    assert recall.judge_answer(plant.fact, "I do not know.") != "kept"


def test_the_effect_of_canon_is_counted_question_by_question() -> None:
    def answer(story: str, fact: str, verdict: str) -> dict[str, Any]:
        return {"kind": "answer", "story": story, "fact": fact, "depth": 9, "verdict": verdict}

    items = [answer("canon", f, "kept") for f in "abcd"]
    items += [answer("no canon", f, "kept" if f == "a" else "not mentioned") for f in "abc"]
    effect = recall.canon_effect([*items, answer("no canon", "d", "error")])
    assert (effect["mean"], effect["n"]) == (0.6667, 3)


def test_one_word_answers() -> None:
    eyes, age, born = (p.fact for p in story.plants()[:3])
    assert recall.judge_answer(eyes, "Grey.") == "kept"
    assert recall.judge_answer(eyes, "Brown.") == "contradicted"
    assert recall.judge_answer(age, "Thirty-four.") == "kept"
    assert recall.judge_answer(born, "Quill") == "contradicted"


def test_effective_length_ends_where_recall_falls() -> None:
    def curve(*means: float) -> list[dict[str, Any]]:
        return [{"depth": 10 * i, "recall": {"mean": m}} for i, m in enumerate(means, start=1)]

    assert recall.effective(curve(1.0, 0.9, 0.8, 1.0)) == 20
    assert recall.effective(curve(0.0, 0.0)) is None
    assert recall.effective(curve(0.5, 0.5, 0.5)) == 30


def test_check_of_a_finished_text(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    book, facts, out = (tmp_path / n for n in ("book.md", "facts.yaml", "found.json"))
    book.write_text("Mara sat down.\n\nHer brown eyes closed.", "utf-8")
    facts.write_text(
        "- {id: eyes, subject: Mara, attribute: eye colour, value: grey}\n"
        "- {id: ship, subject: Halcyon, attribute: crew, value: 41}\n"
    )
    words = ["x", "--check", str(book), "--facts", str(facts), "--json", str(out)]
    monkeypatch.setattr("sys.argv", words)
    assert run_main(coherence.main) == 0
    shown = capsys.readouterr()
    assert "[WARN] 2 facts: 0 kept, 1 contradicted, 1 not mentioned" in shown.err
    rows = json.loads(out.read_text("utf-8"))
    assert [(r["id"], r["verdict"], r["quote"]) for r in rows] == [
        ("eyes", "contradicted", "Her brown eyes closed."),
        ("ship", "not mentioned", None),
    ]
    book.write_text("")
    assert run_main(coherence.main) == 1
    assert capsys.readouterr().err == f"[ERROR] {book} is empty. Write something into it.\n"
