"""Usage read in passing, labels, and what is exposed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.rag.proxy.metrics import Metrics, Timed, Usage, route_of

USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 31,
    "prompt_tokens_details": {"cached_tokens": 1104},
}
STREAM = b"".join(
    b"data: " + json.dumps(event).encode() + b"\n\n"
    for event in [
        {"choices": [{"delta": {"content": 'He wrote "prompt_tokens": 9 there.'}}]},
        {"choices": [], "usage": USAGE},
        {"choices": [], "rag": {"sources": [{"path": "x" * 200}] * 3}},
    ]
) + b"data: [DONE]\n\n"  # fmt: skip


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_usage_is_read_wherever_the_stream_is_cut(cuts: list[int]) -> None:
    usage = Usage()
    bounds = [0, *sorted(cuts), len(STREAM)]
    for i, start in enumerate(bounds[:-1]):
        usage.feed(STREAM[start : bounds[i + 1]])
    assert (usage.prompt, usage.cached, usage.completion) == (1200, 1104, 31)


def test_usage_after_long_answers_and_none_at_all() -> None:
    usage = Usage()
    usage.feed(b"x" * 1_000_000)
    for _ in range(100):
        usage.feed(b"y" * 500)
    assert (usage.prompt, usage.cached, usage.completion) == (0, 0, 0)
    usage.feed(json.dumps({"usage": USAGE}).encode())
    assert (usage.prompt, usage.cached, usage.completion) == (1200, 1104, 31)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/responses/abc", "/v1/*"),
        ("/v1/../etc", "/v1/*"),
        ("/wp-admin", "other"),
        ("/v1", "other"),
    ],
)
def test_made_up_paths_make_no_labels(path: str, route: str) -> None:
    assert route_of(path) == route


def test_what_is_counted_is_exposed() -> None:
    metrics = Metrics()
    metrics.answered("/health", "GET", 200, 0.01)
    metrics.answered("/health", "BREW", 405, 0.01)
    text = metrics.text().decode()
    assert 'rag_proxy_requests_total{method="GET",route="/health",status="200"} 1.0' in text
    assert 'rag_proxy_requests_total{method="other",route="/health",status="405"} 1.0' in text
    assert "process_resident_memory_bytes" in text
    assert Metrics().text() != metrics.text()  # each proxy has numbers of its own


class Searcher:
    root = "here"

    def search(self, request: Any) -> Any:
        if request == "bad":
            raise RuntimeError("locked")
        return [request]


def test_searches_are_timed_also_where_they_fail() -> None:
    seen: list[float] = []
    timed = Timed(Searcher(), seen.append)
    assert timed.root == "here"
    assert timed.search("q") == ["q"]
    with pytest.raises(RuntimeError, match="locked"):
        timed.search("bad")
    assert len(seen) == 2
    assert min(seen) >= 0
