"""The health check, against servers that behave and misbehave."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.openai_api.server import http_url
from scifi_llm.serving.health.api import main, one_by_one
from scifi_llm.serving.health.probe import Stream, connect

LOGS = "Read the logs: tail run/*.log"
NEXT = "[OK] Next: vllm/health_checks/10_concurrency.sh\n"
REST = """\
[OK] completions: 5 prompt tokens, 8 answer tokens (T s)
[OK] bad request: HTTP 400: max_tokens must be at least 1 (T s)
[OK] unknown model: HTTP 404: The model `no-such-model` does not exist. (T s)
"""
STREAM = "[OK] stream: 8 tokens in 8 chunks, the first after T s, usage, [DONE] (T s)\n"
CHAT = "[OK] chat: 5 prompt tokens, 16 answer tokens (T s)\n"
HEAD = """\
[TEST] Checking {url}
[OK] health: HTTP 200 (T s)
[OK] models: tiny (max_model_len 8192) (T s)
"""


def failed(count: int) -> str:
    return f"[ERROR] {count} of 7 checks failed. {LOGS}\n"


def test_all_is_right(fake: Any, run: Any) -> None:
    expected = HEAD.format(url=fake.url) + CHAT + STREAM + REST + NEXT
    assert run(main, "--base-url", fake.url) == (0, expected, "")
    assert all("rag" not in body for body in fake.sent)


def test_a_proxy_is_asked_for_little_canon_once(fake: Any, run: Any) -> None:
    fake.upstream = "http://127.0.0.1:8000/v1"
    status, out, err = run(main, "--base-url", fake.url)
    assert (status, err) == (0, "")
    assert out.splitlines()[1] == (
        "[OK] health: RAG proxy, collection world (3 chunks), "
        "vLLM at http://127.0.0.1:8000/v1 is ok (T s)"
    )
    assert out.splitlines()[3] == CHAT.replace(" (T", ", canon ok (T").strip()
    assert [body.get("rag") for body in fake.sent] == [
        {"top_k": 1, "budget_tokens": 200},
        {"enabled": False},
        None,
        {"enabled": False},
        {"enabled": False},
    ]


def test_a_degraded_proxy_is_a_warning(fake: Any, run: Any) -> None:
    fake.upstream, fake.rag_status = "http://127.0.0.1:8000/v1", "degraded"
    status, _, err = run(main, "--base-url", fake.url)
    assert (status, err) == (
        0,
        "[WARN] chat: the proxy answered without canon: retrieval failed. "
        "See: tail run/proxy-*.log\n",
    )


def test_nothing_answers(run: Any, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}/v1"
    assert run(main, "--base-url", url) == (
        1,
        f"[TEST] Checking {url}\n",
        f"[ERROR] Nothing answers at {url}. Start vLLM with: ./serve_vllm.sh "
        "(the proxy before it: ./serve_rag_proxy.sh)\n",
    )


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"health": 503}, [f"health: HTTP 503: The server answered with an error. (T s) {LOGS}"]),
        (
            {"usage": False},
            [
                "chat: The answer has no usage (prompt_tokens, completion_tokens). (T s)",
                "stream: The answer has no usage (prompt_tokens, completion_tokens). (T s)",
                "completions: The answer has no usage (prompt_tokens, completion_tokens). (T s)",
            ],
        ),
        (
            {"chat": (200, b"<html>")},
            [f"chat: The answer is no JSON object: b'<html>'. (T s) {LOGS}"],
        ),
        ({"chat": (500, b'{"error": "boom"}')}, [f"chat: HTTP 500: boom (T s) {LOGS}"]),
        ({"chat": (200, b'{"choices": []}')}, [f"chat: The answer has no choices. (T s) {LOGS}"]),
        (
            {"chat": (200, b'{"choices": [{}]}')},
            [f"chat: The answer has no message. (T s) {LOGS}"],
        ),
        ({"done": False}, [f"stream: The stream ended without data: [DONE]. (T s) {LOGS}"]),
        (
            {"buffered": True},
            ["stream: 8 chunks came all at once. (T s) Something in between buffers the stream."],
        ),
        (
            {"stream_line": b"data: oops\n\n"},
            [f"stream: The stream holds what is no event: 'oops'. (T s) {LOGS}"],
        ),
        (
            {"stream_line": b'data: {"error": {"message": "engine died"}}\n\n'},
            [f"stream: The stream broke off: engine died (T s) {LOGS}"],
        ),
        (
            {"lenient": True},
            [
                f"bad request: HTTP 200 instead of a 4xx. (T s) {LOGS}",
                f"unknown model: HTTP 200 instead of 404. (T s) {LOGS}",
            ],
        ),
        (
            {"flat_errors": True},
            [
                "bad request: HTTP 400 without error.message: "
                f"""b'{{"message": "max_tokens must be at least 1\\\\nand more"}}'. (T s) {LOGS}""",
                "unknown model: HTTP 404 without error.message: "
                f"""b'{{"message": "The model `no-such-model` does not exist."}}'. (T s) {LOGS}""",
            ],
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_fault_is_named(fake: Any, run: Any, change: dict[str, Any], lines: list[str]) -> None:
    for name, value in change.items():
        setattr(fake, name, value)
    status, out, err = run(main, "--base-url", fake.url)
    assert (status, err) == (
        1,
        "".join(f"[ERROR] {line}\n" for line in lines) + failed(len(lines)),
    )
    assert out.count("[OK]") == 7 - len(lines)
    assert "Next" not in out


def test_a_model_that_is_not_served(fake: Any, run: Any) -> None:
    assert run(main, "--base-url", fake.url, "--model", "big") == (
        1,
        f"[TEST] Checking {fake.url}\n",
        f"[ERROR] big is not served at {fake.url}. Served: tiny.\n",
    )


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"data": []}', b'{"data": ["x"]}'])
def test_no_openai_server(fake: Any, body: bytes) -> None:
    fake.models = body
    with pytest.raises(ToolkitError, match="does not say which models it serves"):
        connect(fake.url)


def test_the_proxy_says_itself_that_vllm_is_down(fake: Any, run: Any) -> None:
    down = "Nothing answers at http://127.0.0.1:8000/v1. Start vLLM with: ./serve_vllm.sh"
    fake.models_status, fake.models = 503, json.dumps({"error": {"message": down}}).encode()
    assert run(main, "--base-url", fake.url)[::2] == (
        1,
        f"[ERROR] GET {fake.url}/models: HTTP 503: {down}\n",
    )


def test_the_key_of_the_environment(fake: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.key = "right"
    assert run(main, "--base-url", fake.url)[2] == (
        f"[ERROR] {fake.url} wants a key: Unauthorized Set it with: "
        "export OPENAI_API_KEY=… (that of the proxy: RAG_API_KEY)\n"
    )
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    with pytest.raises(ToolkitError):
        connect(fake.url)
    monkeypatch.setenv("RAG_API_KEY", "right")
    assert connect(fake.url).api_key == "right"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://localhost:8001", "http://localhost:8001/v1"),
        ("http://localhost:8001/", "http://localhost:8001/v1"),
        ("https://a.example/llm/v1/", "https://a.example/llm/v1"),
    ],
)
def test_base_urls(given: str, used: str) -> None:
    assert http_url(given) == used


@pytest.mark.parametrize(
    "given", ["localhost:8000", "ftp://a", "http://", "http://a:port", "http://["]
)
def test_what_is_no_url(given: str, run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(main, "--base-url", given)
    assert (
        f"[ERROR] Argument --base-url: {given!r} is no URL such as http://127.0.0.1:8000/v1"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("name", ["content", "reasoning", "reasoning_content"])
def test_text_under_every_name_counts(name: str) -> None:
    stream = Stream(0.0)
    stream.take('data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}', 1.0)
    stream.take(f'data: {{"choices": [{{"delta": {{"{name}": "x"}}}}]}}', 2.0)
    stream.take(": a comment", 3.0)
    assert stream.times == [2.0]


@pytest.mark.parametrize(
    ("times", "apart"),
    [
        ([0.0, 0.01, 0.02], True),
        ([0.0, 0.01, 0.01001], True),
        ([0.0, 0.00001, 0.00002], False),
        ([0.0, 0.00001, 0.00002, 5.0], False),
        ([0.0], False),
        ([], False),
    ],
)
def test_chunks_that_come_in_one_piece(times: list[float], apart: bool) -> None:
    assert one_by_one(times) == apart
