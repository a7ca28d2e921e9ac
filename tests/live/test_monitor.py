"""The monitor against a real vLLM: it counts exactly what was sent."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import openai

from scifi_llm.serving.metrics import samples

MODEL = "SmolLM2-135M-Instruct"
REQUESTS, TOKENS = 5, 12
# Prints what prometheus_client, of vLLM's own environment, finds in the text on stdin.
REFERENCE = """
import json, sys
from prometheus_client.parser import text_string_to_metric_families as families
rows = [(s.name, s.labels, s.value) for f in families(sys.stdin.read()) for s in f.samples]
print(json.dumps(rows))
"""


def snapshot(stack: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stack.must("./monitor_vllm.sh", "--once", "--json"))
    return found


def settled(stack: Any, finished: int) -> dict[str, Any]:
    """The snapshot after `finished` requests in all: vLLM counts a moment after it has answered."""
    for _ in range(10):
        found = snapshot(stack)
        if sum(found["totals"]["finished"].values()) >= finished:
            break
        time.sleep(0.5)
    return found


def test_the_totals_move_by_exactly_what_was_sent(stack: Any) -> None:
    before = snapshot(stack)
    with openai.OpenAI(
        base_url=f"http://127.0.0.1:{stack.vllm_port}/v1", api_key="EMPTY", max_retries=0
    ) as client:
        usages = [
            client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": f"Name {number} stars."}],
                max_tokens=TOKENS,
                extra_body={"ignore_eos": True},
            ).usage
            for number in range(REQUESTS)
        ]
    was = before["totals"]
    after = settled(stack, sum(was["finished"].values()) + REQUESTS)
    now = after["totals"]
    prompt = sum(usage.prompt_tokens for usage in usages if usage)
    assert now["prompt_tokens"] - was["prompt_tokens"] == prompt > 0
    assert now["generation_tokens"] - was["generation_tokens"] == REQUESTS * TOKENS
    moved = {key: number - was["finished"].get(key, 0) for key, number in now["finished"].items()}
    assert {key: number for key, number in moved.items() if number} == {"length": REQUESTS}
    # Every request has one first token; every other token has one before it.
    first, second = before["since_start"], after["since_start"]
    assert second["ttft_s"]["count"] - first["ttft_s"]["count"] == REQUESTS
    gaps = second["inter_token_s"]["count"] - first["inter_token_s"]["count"]
    assert gaps == REQUESTS * (TOKENS - 1)
    assert 0 < second["ttft_s"]["p50"] <= second["ttft_s"]["p99"]


def test_the_servers_and_their_state_are_named(stack: Any) -> None:
    found = snapshot(stack)
    assert (found["up"], found["model"], found["problem"]) == (True, MODEL, None)
    assert found["version"]
    assert found["uptime_s"] > 0
    assert found["gauges"]["kv_cache_tokens"] > 8192
    proxy = found["proxy"]
    assert (proxy["up"], proxy["collection"], proxy["upstream"]) == (True, "scifi_world", "ok")


def test_our_reader_agrees_with_prometheus_client(stack: Any) -> None:
    text = httpx.get(f"http://127.0.0.1:{stack.vllm_port}/metrics", trust_env=False).text
    python = Path(stack.env.get("VENVS_DIR", Path.home() / ".venvs")) / "llm" / "bin" / "python"
    done = subprocess.run(
        [python, "-c", REFERENCE], input=text, capture_output=True, text=True, check=True
    )
    assert [list(row) for row in samples(text)] == json.loads(done.stdout)
