"""The check of the counters, against counters that are right, stuck, disturbed or missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scifi_llm.serving.health.metrics_check import STATS, main, moved, scrape
from scifi_llm.serving.metrics import Snapshot

OK = """\
[OK] vllm:request_success: +3, 3 requests answered
[OK] vllm:prompt_tokens: +15, 15 in usage
[OK] vllm:generation_tokens: +51, 51 in usage
[OK] Next: vllm/health_checks/13_sanity_snapshot.sh
"""


def head(url: str, metrics: str = "") -> str:
    metrics = metrics or url.removesuffix("/v1") + "/metrics"
    return f"[TEST] 3 requests to {url}, counted at {metrics}\n"


@pytest.mark.parametrize("engine", [True, False], ids=["V1", "V0"])
def test_the_counters_agree(fake: Any, run: Any, engine: bool) -> None:
    fake.engine_label = engine
    fake.count(100)  # what was before does not matter
    assert run(main, "--base-url", fake.url) == (0, head(fake.url) + OK, "")


def test_the_proxy_names_its_upstream(fake: Any, run: Any) -> None:
    fake.upstream = fake.url.replace("127.0.0.1", "localhost")
    counted = fake.upstream.removesuffix("/v1") + "/metrics"
    assert run(main, "--base-url", fake.url) == (0, head(fake.url, counted) + OK, "")


def test_counters_that_do_not_move(fake: Any, run: Any) -> None:
    fake.counts = False
    assert run(main, "--base-url", fake.url) == (
        1,
        head(fake.url),
        "[ERROR] vllm:request_success: +0, but 3 requests answered.\n"
        "[ERROR] vllm:prompt_tokens: +0, but 15 in usage.\n"
        "[ERROR] vllm:generation_tokens: +0, but 51 in usage.\n"
        f"[ERROR] vLLM's counters do not agree with its answers. {STATS}\n",
    )


def test_others_disturb(fake: Any, run: Any) -> None:
    fake.noise = 100
    busy = "[WARN] Other requests ran on vLLM meanwhile (try {} of 3).\n"
    assert run(main, "--base-url", fake.url) == (
        1,
        head(fake.url),
        "".join(busy.format(place) for place in (1, 2, 3))
        + "[ERROR] The counters cannot be checked while others use vLLM. Let the other clients "
        "finish (an editor, a benchmark) and run this again.\n",
    )


def test_others_disturb_only_at_first(fake: Any, run: Any) -> None:
    fake.noise = 2
    warning = "[WARN] Other requests ran on vLLM meanwhile (try 1 of 3).\n"
    assert run(main, "--base-url", fake.url) == (0, head(fake.url) + OK, warning)


@pytest.mark.parametrize("text", [b"", b"<html>", b"vllm:num_requests_running 0\n", b"\xff{{\n"])
def test_no_counters(fake: Any, run: Any, text: bytes) -> None:
    fake.metrics = text
    url = fake.url.removesuffix("/v1")
    assert run(main, "--base-url", fake.url) == (
        1,
        head(fake.url),
        f"[ERROR] vLLM's counters are not at {url}/metrics. {STATS}\n",
    )


def test_no_usage(fake: Any, run: Any) -> None:
    fake.usage = False
    assert run(main, "--base-url", fake.url)[2] == (
        "[ERROR] The answer has no usage (prompt_tokens, completion_tokens).\n"
    )


@pytest.mark.parametrize("count", ["0", "101", "many"])
def test_wrong_arguments(run: Any, count: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(main, "--requests", count)


@pytest.mark.parametrize("version", ["0_10_2", "0_32_0"])
def test_real_texts_of_both_generations_hold_the_counters(fake: Any, version: str) -> None:
    fake.metrics = (Path(__file__).parents[1] / f"metrics_{version}.txt").read_bytes()
    found = moved(Snapshot(), scrape(fake.url.removesuffix("/v1") + "/metrics"))
    assert min(found.requests, found.prompt_tokens, found.generation_tokens) > 0
