# ruff: noqa: E501  # sentences and scripts are read as a whole
"""Results, statistics, charts, the report, scaling, throughput's call and the comparison."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.benchmarks import charts, compare, report, results, scaling, throughput
from scifi_llm.benchmarks.statistics import bootstrap, ranks
from scifi_llm.benchmarks.target import Target

SCHEMA = json.loads(results.SCHEMA.read_text("utf-8"))
TARGET = Target("http://127.0.0.1:8000/v1", "org/Some Model", version="0.32.0")


def valid(data: dict[str, Any]) -> dict[str, Any]:
    jsonschema.validate(data, SCHEMA, format_checker=jsonschema.FormatChecker())
    return data


def begin(folder: Path, fresh: bool = False, **parameters: Any) -> results.Run:
    return results.start("scaling", TARGET, parameters, 1, str(folder), fresh)


def test_a_result_follows_the_schema_from_its_first_moment(tmp_path: Path) -> None:
    run = begin(tmp_path, repeats=1)
    run.save()
    data = valid(json.loads(run.file.read_text("utf-8")))
    assert run.file.name.startswith("scaling_Some-Model_")
    assert data["complete"] is False
    assert data["machine"]["cpus"] >= 1
    assert data["versions"]["server"] == "0.32.0"
    run.add({"key": "a", "item_seconds": 0.5})
    run.finish({"x": 1})
    data = valid(json.loads(run.file.read_text("utf-8")))
    assert (data["complete"], data["summary"], len(data["items"])) == (True, {"x": 1}, 1)


def test_only_the_same_run_is_gone_on_with(tmp_path: Path) -> None:
    run = begin(tmp_path, repeats=1)
    run.add({"key": "a", "item_seconds": 0.5})
    assert begin(tmp_path, repeats=1).done("a")
    assert not begin(tmp_path, repeats=2).done("a")
    assert not begin(tmp_path, fresh=True, repeats=1).done("a")
    run.finish({})
    assert not begin(tmp_path, repeats=1).done("a")


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    run = begin(tmp_path)

    def interrupted() -> dict[str, Any]:
        raise KeyboardInterrupt

    work = [("a", lambda: {"n": 1}), ("b", interrupted), ("c", lambda: {"n": 3})]
    with pytest.raises(KeyboardInterrupt):
        results.work_through(run, work, "Work", lambda items: {"count": len(items)})
    data = valid(json.loads(run.file.read_text("utf-8")))
    assert [item["key"] for item in data["items"]] == ["a"]
    assert (data["complete"], data["summary"]) == (False, {"count": 1})


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(results.ToolkitError, match="is no folder"):
        results.folder(str(tmp_path / "x"))


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=30))
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    found = bootstrap(values)
    slack = 1e-3 + 1e-9 * max(map(abs, values))
    assert found["low"] is not None
    assert found["low"] - slack <= found["mean"] <= found["high"] + slack  # type: ignore[operator]


def test_few_values_have_no_interval() -> None:
    assert bootstrap([]) == {"mean": None, "low": None, "high": None, "n": 0}
    assert bootstrap([1, 3]) == {"mean": 2.0, "low": None, "high": None, "n": 2}


def test_ranks_claim_no_more_than_the_intervals() -> None:
    estimates = {
        "a": {"low": 8.0, "high": 9.0},
        "b": {"low": 8.5, "high": 9.5},
        "c": {"low": 1.0, "high": 2.0},
        "d": {"low": None, "high": None},
    }
    assert ranks(estimates, True) == {"a": 1, "b": 1, "c": 3, "d": None}
    assert ranks(estimates, False) == {"a": 2, "b": 2, "c": 1, "d": None}


class Tags(HTMLParser):
    void = ("meta", "link", "br", "line", "circle", "rect", "polyline")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [v for k, v in attrs if k in ("src", "href") and v and v != "data:,"]
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_charts_are_well_formed_and_skip_what_is_missing() -> None:
    one = {"mean": 5.0, "low": 4.0, "high": 6.0}
    none = {"mean": None, "low": None, "high": None}
    made = charts.lines("A <b> & c", [("x", [(1, one), (2, none)]), ("y", [])], "n")
    made += charts.bars("t", [("x", [("gritty", one)]), ("y", [("poetic", none)])])
    assert "A &lt;b&gt; &amp; c" in made
    parser = Tags()
    parser.feed(made)
    assert parser.open == []
    assert charts.lines("t", [("x", [])], "n") == ""


def estimate(mean: float) -> dict[str, Any]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 3}


def speed(folder: Path, model: str, rate: float) -> dict[str, Any]:
    row = {"size": 1024, "errors": 0}
    row |= {f"{n}_{k}": estimate(rate) for n in ("cold", "cached") for k in ("ttft", "tokens_per_second", "prompt_tokens")}  # fmt: skip
    run = results.start("scaling", Target("u", model), {}, 1, str(folder), True)
    return {
        **run.data,
        "complete": True,
        "finished": results.now(),
        "summary": {"sizes": [row]},
        "items": [],
    }


def test_comparison_and_report_side_by_side(tmp_path: Path) -> None:
    for place, (model, rate) in enumerate((("small", 1.0), ("large <3>", 2.0)), start=1):
        folder = tmp_path / f"{place}-x"
        folder.mkdir()
        data = valid(speed(folder, model, rate))
        (folder / "scaling_x_1.json").write_text(json.dumps(data), "utf-8")
    run = compare.compare(tmp_path, quick=True)
    data = valid(json.loads(run.file.read_text("utf-8")))
    (measure,) = data["summary"]["measures"]
    assert measure["ranks"] == {"small": 1, "large <3>": 2}
    assert data["items"][0]["missing"] == ["coherence", "creative", "throughput"]
    file = report.write(tmp_path)
    assert file
    page = file.read_text("utf-8")
    parser = Tags()
    parser.feed(page)
    assert parser.open == []
    assert parser.sources == []
    assert "large &lt;3&gt;" in page
    assert "large <3>" not in page
    assert "#2" in page


def test_a_report_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"schema": 9}')
    (tmp_path / "broken.json").write_text("{")
    assert report.write(tmp_path) is None


def test_scaling_sends_each_prompt_cold_and_cached(serving: Any, benchmark_run: Any) -> None:
    with serving(lambda body: ("word " * 20, "length")) as (url, seen):
        status, data = benchmark_run(
            scaling, "--base-url", url, "--sizes", "1024", "99999", "--repeats", "3"
        )
    assert status == 0
    valid(data)
    sent = [body["messages"][0]["content"] for body in seen[1:]]
    assert sent[0] == sent[1]
    assert len({text[:40] for text in sent}) == 3
    (row,) = data["summary"]["sizes"]
    assert row["cold_ttft"]["n"] == 3
    assert data["parameters"]["sizes"] == [1024]


def test_prompts_differ_from_their_first_words_on() -> None:
    made = [*throughput.prompts(8, 300, 1), *throughput.prompts(8, 300, 2)]
    assert len({text[:30] for text in made}) == 16
    assert throughput.prompts(3, 300, 1) == throughput.prompts(3, 300, 1)


@pytest.mark.parametrize(
    ("version", "has", "lacks"),
    [((0, 10), "--endpoint-type", "--num-warmups"), ((0, 32), "--backend", "--endpoint-type")],
)
def test_the_call_fits_the_version(version: tuple[int, int], has: str, lacks: str) -> None:
    words = throughput.command(version, TARGET, "/models/x", ["--dataset-name", "random"], [])
    assert has in words
    assert lacks not in words
    assert words[words.index("--base-url") + 1] == "http://127.0.0.1:8000"
    assert words[words.index("--served-model-name") + 1] == "org/Some Model"
