"""A short session on the real stack: what vLLM reads from its cache, as the benchmark measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_a_session_is_read_from_the_cache(stack: Any, tmp_path: Path) -> None:
    upstream = f"http://127.0.0.1:{stack.vllm_port}/v1"
    told = stack.must(
        "RAG/benchmarks/measure_session.py",
        *("--collection", "scifi_world", "--upstream", upstream, "--out", str(tmp_path)),
        *("--turns", "3", "--max-tokens", "12"),
    )
    assert told.count("first token after") == 9
    (file,) = tmp_path.glob("session_*.json")
    found = json.loads(file.read_text("utf-8"))
    stable = found["placements"]["stable"]
    assert stable["each_request_begins_with_the_one_before"]
    assert all(turn["reused"] >= 0.9 for turn in stable["turns"][1:])
    assert all(turn["status"] == "ok" for turn in stable["turns"])
    tail = found["placements"]["tail"]
    assert not tail["each_request_begins_with_the_one_before"]
    assert tail["turns"][1]["reused"] < 0.9
    assert file.with_suffix(".svg").read_text("utf-8").startswith("<svg ")
