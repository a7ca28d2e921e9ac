# ruff: noqa: E501  # sentences and scripts are read as a whole
"""Writing tests against a server that answers by rule; scores of files; the judge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scifi_llm.benchmarks import creative, judge, score_files, tones
from scifi_llm.errors import ToolkitError
from scifi_llm.prose.score import TONES
from scifi_llm.prose.text import read_page

REPO = Path(__file__).resolve().parents[3]
CHAPTER = REPO / "examples/scifi_world/chapters/chapter-01-the-lead-and-the-line.md"
PAGE = "\n\n".join(read_page(CHAPTER.read_text("utf-8")).paragraphs[:14])


def test_every_tone_has_config_prompt_and_range() -> None:
    assert set(tones.TONE_CONFIGS) == set(tones.SYSTEM_PROMPTS) == set(TONES)
    assert tones.DEFAULT_TONE == "technical"
    assert len(tones.TESTS) == 5
    for config in tones.TONE_CONFIGS.values():
        assert set(config) == {"temperature", "top_p", "repetition_penalty"}


def test_a_run_scores_texts_and_counts_how_they_ended(serving: Any, benchmark_run: Any) -> None:
    answers = iter([(PAGE, "stop"), (PAGE, "stop"), (PAGE[:900], "length"), ("No.", "stop"), ("no room", "error")])  # fmt: skip
    with serving(lambda body: next(answers)) as (url, seen):
        status, data = benchmark_run(creative, "gritty", "--repeats", "1", "--base-url", url)
    assert status == 0
    row = data["summary"]["tones"]["gritty"]
    assert (row["texts"], row["stopped"], row["length"], row["errors"]) == (5, 3, 1, 1)
    assert row["completion_rate"] == 0.6
    assert row["completion_target_met"] is False
    assert row["too_short"] == 1
    assert row["overall"]["n"] == 3
    assert row["overall"]["mean"] > 70
    assert [item["text"] for item in data["items"]][:2] == [PAGE, PAGE]
    assert seen[0]["messages"][0]["content"] == tones.SYSTEM_PROMPTS["gritty"]
    assert seen[0]["temperature"] == tones.TONE_CONFIGS["gritty"]["temperature"]


def test_a_copied_prompt_is_no_text_of_its_own() -> None:
    chat = tones.messages("gritty", "action", 600)
    prompt = "\n\n".join([m["content"] for m in chat] + list(tones.TESTS.values()))
    copied = creative.as_item(creative.Answer(text=prompt, finish_reason="stop"), "gritty", prompt)
    assert copied["scores"]["overall"] < 35
    own = creative.as_item(creative.Answer(text=PAGE, finish_reason="stop"), "gritty", prompt)
    assert own["scores"]["overall"] > 70


def test_a_run_cut_short_goes_on(serving: Any, benchmark_run: Any, tmp_path: Path) -> None:
    asked: list[str] = []

    def rule(body: dict[str, Any]) -> tuple[str, str]:
        asked.append(body["messages"][1]["content"])
        return PAGE, "stop"

    with serving(rule) as (url, _):
        words = ("--repeats", "1", "--base-url", url)
        status, data = benchmark_run(creative, *words)
        file = next((tmp_path / "out").glob("*.json"))
        cut = {**data, "complete": False, "items": data["items"][:2], "summary": {}}
        file.write_text(json.dumps(cut))
        asked.clear()
        status, again = benchmark_run(creative, *words)
    assert status == 0
    assert len(asked) == 3
    assert again["items"][:2] == data["items"][:2]
    assert again["started"] == data["started"]
    assert again["complete"] is True


def test_a_server_that_goes_away_ends_the_run(
    serving: Any, benchmark_run: Any, tmp_path: Path, capsys: Any
) -> None:
    gone = "Nothing answers at http://127.0.0.1:8000/v1. Start vLLM with: ./serve_vllm.sh"
    answers = [(PAGE, "stop"), ("The engine died.", "error"), (gone, "gone"), *[(PAGE, "stop")] * 2]
    with serving(lambda body: answers.pop(0)) as (url, seen):
        words = ("--quick", "--base-url", url)
        assert benchmark_run(creative, *words)[0] == 1
        err = capsys.readouterr().err
        assert "[ERROR] Nothing answers at http://127.0.0.1:8000/v1. Start vLLM with:" in err
        assert err.count("Start vLLM") == 1
        status, data = benchmark_run(creative, *words)
    assert (status, len(seen)) == (0, 5)  # what failed is asked again
    assert (data["complete"], data["summary"]["errors"]) == (True, 0)
    assert len(list((tmp_path / "out").glob("*.json"))) == 1


def test_nothing_answers(benchmark_run: Any, free_port: int, capsys: Any) -> None:
    status, _ = benchmark_run(creative, "--base-url", f"http://127.0.0.1:{free_port}")
    assert status == 1
    assert capsys.readouterr().err == (
        f"[ERROR] Nothing answers at http://127.0.0.1:{free_port}/v1. "
        "Start vLLM with: ./serve_vllm.sh (the proxy before it: ./serve_rag_proxy.sh)\n"
    )


def test_another_model_than_served(serving: Any, benchmark_run: Any, capsys: Any) -> None:
    with serving(lambda body: ("", "stop")) as (url, _):
        assert benchmark_run(creative, "--base-url", url, "--model", "other")[0] == 1
        assert capsys.readouterr().err == f"[ERROR] other is not served at {url}. Served: rule.\n"


def score(tmp_path: Path, *files: Path) -> tuple[int, list[dict[str, Any]]]:
    out = tmp_path / "scores.json"
    status = score_files.run([str(f) for f in files], "poetic", str(out), None)
    return status, json.loads(out.read_text("utf-8"))


def test_scores_of_files(tmp_path: Path) -> None:
    status, (row,) = score(tmp_path, CHAPTER)
    assert status == 0
    assert (row["file"], row["tone"]) == (str(CHAPTER), "poetic")
    assert row["overall"] > 80


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.txt", b" \n", "is empty"),
        ("image.png", bytes(range(256)) * 20, "is no text"),
        ("few.txt", b"Only five words are here.", "is too short: 5 words; a score needs 100"),
        ("large.txt", b"word " * 2_200_000, "MB, more than 3 MB"),
        ("missing.txt", None, "cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_scored_is_null_with_a_reason(
    tmp_path: Path, name: str, content: bytes | None, reason: str, capsys: Any
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    status, (row,) = score(tmp_path, file)
    assert status == 1
    assert [row[part] for part in score_files.PARTS] == [None] * 4
    assert reason in row["reason"]
    assert capsys.readouterr().err.startswith("[ERROR] ")
    assert score(tmp_path, CHAPTER, file)[0] == 2


def test_the_authors_own_range_stands_beside_the_human_one(tmp_path: Path) -> None:
    ranges = score_files.author_ranges(str(CHAPTER.parent))
    row = score_files.score_file(CHAPTER, "technical", ranges)
    low, high = row["diagnostics"]["mtld"]["author"]
    assert low <= row["diagnostics"]["mtld"]["value"] <= high
    with pytest.raises(ToolkitError, match="holds no page of 100 words"):
        score_files.author_ranges(str(tmp_path))


def test_old_encodings_are_read(tmp_path: Path) -> None:
    file = tmp_path / "old.txt"
    file.write_bytes("She said “no”.".encode("cp1252"))
    assert score_files.read_text(file) == "She said “no”."


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (("A", "B"), "first"), (("B", "A"), "second"), (("A", "A"), "tie"),
        (("A or B", "B"), "unclear"), (("A", ""), "unclear"),
    ],
)  # fmt: skip
def test_a_verdict_that_turns_with_the_order_is_a_tie(
    answers: tuple[str, str], expected: str
) -> None:
    replies = iter(answers)
    assert judge.verdict("task", "x", "y", lambda chat: next(replies)) == expected


def test_the_judge_compares_two_results(serving: Any, benchmark_run: Any, tmp_path: Path) -> None:
    def longer(body: dict[str, Any]) -> tuple[str, str]:
        content = body["messages"][-1]["content"]
        if "The better one is:" not in content:
            return PAGE, "stop"
        a, b = content.split("\n\nA:\n")[1].split("\n\nB:\n")
        return ("A" if len(a) > len(b) else "B"), "stop"

    with serving(lambda body: (PAGE[:700], "stop"), "short") as (url, _):
        benchmark_run(creative, "--repeats", "1", "--base-url", url)
    with serving(longer, "long") as (url, _):
        words = ("--repeats", "1", "--base-url", url, "--judge", url, "long")
        assert benchmark_run(creative, *words)[0] == 0
    (file,) = (tmp_path / "out").glob("creative_long_*.json")
    found = json.loads(file.read_text("utf-8"))["summary"]["judge"]
    assert (found["pairs"], found["won"], found["lost"]) == (5, 5, 0)
    assert found["agreement_with_people"] == 0.73


def test_a_finished_result_is_judged_without_its_model(
    serving: Any, benchmark_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        with serving(lambda body: (PAGE, "stop"), name) as (url, _):
            benchmark_run(creative, "--repeats", "1", "--base-url", url)
    (one,), (two,) = ((tmp_path / "out").glob(f"creative_{name}_*.json") for name in ("one", "two"))
    replies = iter(["A", "B", "Both are fine.", "A", "B", "B", "A", "A", "A", "B"])
    with serving(lambda body: (next(replies), "stop"), "referee") as (url, seen):
        words = ("--judge", url, "referee", "--of", str(one), "--against", str(two))
        assert benchmark_run(creative, *words)[0] == 0
    assert len(seen) == 10
    data = json.loads(one.read_text("utf-8"))
    assert data["complete"] is True
    assert data["summary"]["texts"] == 5
    found = data["summary"]["judge"]
    assert (found["won"], found["tied_or_turned"], found["unclear"]) == (2, 2, 1)
    assert (found["pairs"], found["model"], found["against"]) == (5, "referee", two.name)


def test_a_judge_that_answers_with_errors(
    serving: Any, benchmark_run: Any, tmp_path: Path, capsys: Any
) -> None:
    with serving(lambda body: (PAGE, "stop"), "one") as (url, _):
        benchmark_run(creative, "--repeats", "1", "--base-url", url)
    (one,) = (tmp_path / "out").glob("creative_*.json")
    with serving(lambda body: ("too long", "error"), "referee") as (url, _):
        words = ("--judge", url, "referee", "--of", str(one), "--against", str(one))
        assert benchmark_run(creative, *words)[0] == 1
    assert "[ERROR] The judge referee answers: HTTP 400: too long" in capsys.readouterr().err
    assert "judge" not in json.loads(one.read_text("utf-8"))["summary"]


def test_of_goes_with_judge(benchmark_run: Any, tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        benchmark_run(creative, "--of", "x.json")
    assert "--of and --against go with --judge" in capsys.readouterr().err
    words = ("--judge", "http://127.0.0.1:9/v1", "m", "--of", str(tmp_path / "x.json"))
    assert benchmark_run(creative, *words)[0] == 1
    assert "x.json holds no result of this benchmark" in capsys.readouterr().err
