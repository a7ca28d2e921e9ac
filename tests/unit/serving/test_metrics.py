"""Both generations of vLLM's /metrics read by value; differences, restarts and quantiles.

metrics_0_32_0.txt is from a real server, shortened. metrics_0_10_2.txt was written by
prometheus_client with the names, labels and buckets of that version's loggers.py, for two engines.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.serving.metrics import (
    METRICS,
    Counts,
    Snapshot,
    difference,
    labelled,
    quantile,
    ratio,
    read,
    restarted,
    samples,
    total,
)

HERE = Path(__file__).parent
DOCUMENTED = (HERE / "metrics_0_10_2.txt").read_text(encoding="utf-8")
CURRENT = (HERE / "metrics_0_32_0.txt").read_text(encoding="utf-8")
NEW_NAMES = ("vllm:kv_cache_usage", "vllm:prefix_cache", "vllm:inter_token_latency")
# Before 0.9 only the old names were there.
OLD = "\n".join(line for line in DOCUMENTED.splitlines() if not line.startswith(NEW_NAMES))


def snapshot(text: str) -> Snapshot:
    found = read(text)
    assert found is not None
    return found


# --- text ----------------------------------------------------------------------------------------


def test_samples_of_the_text_format() -> None:
    text = (
        "# HELP a b{c} 1\n# TYPE a counter\n"
        "a 1\n"
        'b_total{x="1",y="two words",} 2.5 1395066363000\n'
        'c{path="C:\\\\dir \\"q\\"\\nend} 9"} +Inf\n'
        "d NaN\n"
        "\n  \nno value\nhtml> <b>1</b>\ne 1 2 3\nf x\n"
    )
    found = list(samples(text))
    assert found[:3] == [
        ("a", {}, 1.0),
        ("b_total", {"x": "1", "y": "two words"}, 2.5),
        ("c", {"path": 'C:\\dir "q"\nend} 9'}, math.inf),
    ]
    assert [name for name, _, _ in found] == ["a", "b_total", "c", "d"]


@given(
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]*", fullmatch=True), st.text(), max_size=4),
    st.floats(allow_nan=False),
)
def test_every_label_value_comes_back(labels: dict[str, str], value: float) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

    inside = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    assert list(samples(f"x:y{{{inside}}} {value!r}\n")) == [("x:y", labels, value)]


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    list(samples(text))
    assert read(text) is None


# --- both generations ----------------------------------------------------------------------------


@pytest.mark.parametrize("text", [DOCUMENTED, OLD], ids=["both names", "old names"])
def test_figures_of_0_10_2_are_summed_over_engines_and_never_counted_twice(text: str) -> None:
    found = snapshot(text)
    assert found.model == "meta-llama/Llama-3.1-8B-Instruct"
    assert found.started == 1795406875.7
    assert found.kv_cache_tokens == 2 * 6912 * 16
    assert found.gauges == {"running": 5, "waiting": 1, "kv_cache_use": 0.5}
    plain = {key: value for (key, label), value in found.counts.items() if not label}
    assert plain == {
        "prompt_tokens": 1000,
        "generation_tokens": 120,
        "prefix_cache_queries": 1000,
        "prefix_cache_hits": 700,
        "preemptions": 3,
    }
    assert labelled(found.counts, "finished") == {"stop": 5, "length": 2, "abort": 1}
    # 75 of 0.02 s in the bucket from 0.01 to 0.025, 25 of 0.04 s in that up to 0.05.
    latency = labelled(found.counts, "inter_token_s")
    assert (latency["0.01"], latency["0.025"], latency["0.05"], latency["+Inf"]) == (
        0,
        75,
        100,
        100,
    )
    assert quantile(0.5, latency) == pytest.approx(0.01 + 0.015 * 50 / 75)
    assert quantile(0.99, latency) == pytest.approx(0.025 + 0.025 * 24 / 25)
    # 5 up to 0.06, 4 up to 0.5, one of 3000 s beyond the last bound.
    first = labelled(found.counts, "ttft_s")
    assert quantile(0.5, first) == pytest.approx(0.06)
    assert quantile(0.9, first) == pytest.approx(0.5)
    assert quantile(0.99, first) == 2560.0


def test_figures_of_0_32() -> None:
    found = snapshot(CURRENT)
    assert found.model == "SmolLM2-135M-Instruct"
    assert found.kv_cache_tokens == 46592
    assert found.gauges == {"running": 0, "waiting": 0, "kv_cache_use": 0}
    assert found.counts["prompt_tokens", ""] == 3121
    assert found.counts["generation_tokens", ""] == 2387
    assert labelled(found.counts, "finished") == {
        "stop": 14, "length": 42, "abort": 0, "error": 0, "repetition": 0,
    }  # fmt: skip
    assert ratio(found.counts, "prefix_cache_hits", "prefix_cache_queries") == 384 / 3121
    # Each request has one first token, and every other token has a predecessor.
    assert labelled(found.counts, "ttft_s")["+Inf"] == 56
    assert labelled(found.counts, "inter_token_s")["+Inf"] == 2387 - 56


@pytest.mark.parametrize("text", [DOCUMENTED, CURRENT])
def test_each_figure_is_found_in_both_generations(text: str) -> None:
    found = snapshot(text)
    assert {key for key, _ in found.counts} | set(found.gauges) == set(METRICS)


def test_pages_without_figures_of_vllm() -> None:
    assert read("") is None
    assert read("<html>404</html>") is None
    assert read("process_start_time_seconds 1.0\nvllm:other 1\n") is None


def test_a_value_that_is_no_number_is_left_out() -> None:
    found = snapshot("vllm:num_requests_running NaN\nvllm:prompt_tokens_total 4\n")
    assert found == Snapshot({("prompt_tokens", ""): 4.0})


# --- differences ---------------------------------------------------------------------------------

KEYS = st.sampled_from([("prompt_tokens", ""), ("finished", "stop"), ("ttft_s", "0.1")])
COUNTS = st.dictionaries(KEYS, st.integers(0, 1000).map(float))


@given(COUNTS, COUNTS)
def test_differences_add_up_and_are_never_negative(first: Counts, more: Counts) -> None:
    before, after = Snapshot(first), Snapshot(total([first, more]))
    assert not restarted(before, after)
    found = difference(before, after)
    assert total([first, found]) == after.counts
    assert all(value >= 0 for value in found.values())


@given(COUNTS, COUNTS)
def test_any_two_scrapes_differ_by_nothing_negative(before: Counts, after: Counts) -> None:
    found = difference(Snapshot(before), Snapshot(after))
    assert found.keys() == after.keys()
    assert all(0 <= value <= after[place] for place, value in found.items())


def test_a_restart_is_seen_by_one_count_and_resets_all() -> None:
    before = Snapshot({("prompt_tokens", ""): 100.0, ("finished", "stop"): 2.0})
    after = Snapshot({("prompt_tokens", ""): 30.0, ("finished", "stop"): 5.0})
    assert restarted(before, after)
    assert difference(before, after) == after.counts


def test_a_restart_is_seen_by_the_start_time_where_the_counts_are_larger() -> None:
    before = Snapshot({("prompt_tokens", ""): 10.0}, started=1000.0)
    after = Snapshot({("prompt_tokens", ""): 30.0}, started=1060.0)
    assert difference(before, after) == {("prompt_tokens", ""): 30.0}
    same = Snapshot({("prompt_tokens", ""): 30.0}, started=1000.4)
    assert difference(before, same) == {("prompt_tokens", ""): 20.0}


def test_ratio_of_nothing_is_unknown() -> None:
    assert ratio({}, "prefix_cache_hits", "prefix_cache_queries") is None
    assert (
        ratio({("prefix_cache_queries", ""): 0.0}, "prefix_cache_hits", "prefix_cache_queries")
        is None
    )


# --- quantiles -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("q", "buckets", "value"),
    [
        (0.5, {}, None),
        (0.5, {"0.1": 0, "+Inf": 0}, None),
        (0.5, {"0.1": 10, "+Inf": 10}, 0.05),  # from 0
        (1.0, {"0.1": 10, "+Inf": 10}, 0.1),
        (0.5, {"+Inf": 10, "0.2": 10, "0.1": 0}, 0.15),  # in any order
        (0.5, {"0.1": 5, "0.2": 5, "0.4": 10, "+Inf": 10}, 0.1),  # the bound itself
        (0.75, {"0.1": 5, "0.2": 5, "0.4": 10, "+Inf": 10}, 0.3),  # over an empty bucket
        (0.9, {"0.1": 5, "+Inf": 10}, 0.1),  # beyond the last bound
        (0.9, {"+Inf": 10}, 0.0),
        (0.5, {"-1": 10, "+Inf": 10}, -1.0),
    ],
)
def test_quantiles_by_value(q: float, buckets: dict[str, float], value: float | None) -> None:
    assert quantile(q, buckets) == (value if value is None else pytest.approx(value))


BOUNDS = [0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, math.inf]
VALUES = st.lists(st.floats(0.0001, 10), min_size=1, max_size=60)


def histogram(values: list[float]) -> dict[str, float]:
    return {
        ("+Inf" if bound == math.inf else repr(bound)): float(sum(v <= bound for v in values))
        for bound in BOUNDS
    }


@given(VALUES, st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], q: float) -> None:
    true = sorted(values)[math.ceil(q * len(values)) - 1]
    high = next(bound for bound in BOUNDS if true <= bound)
    low = ([0.0, *BOUNDS])[BOUNDS.index(high)]
    found = quantile(q, histogram(values))
    assert found is not None
    assert low <= found <= (low if high == math.inf else high * (1 + 1e-9))


@given(VALUES, st.floats(0.01, 1), st.floats(0.01, 1))
def test_quantiles_rise_with_q(values: list[float], first: float, second: float) -> None:
    buckets = histogram(values)
    low, high = quantile(min(first, second), buckets), quantile(max(first, second), buckets)
    assert low is not None
    assert high is not None
    assert low <= high + 1e-12


@given(VALUES, st.floats(0.01, 1), st.integers(2, 5))
def test_quantiles_do_not_depend_on_the_number_of_engines(
    values: list[float], q: float, engines: int
) -> None:
    buckets = histogram(values)
    found = quantile(q, {le: count * engines for le, count in buckets.items()})
    assert found == pytest.approx(quantile(q, buckets))
