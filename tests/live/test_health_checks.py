"""The health checks 9 to 13 against the real vLLM and the real proxy before it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

CHECKS = "vllm/health_checks/"
SERVERS = ("vllm", "proxy")


def base_url(stack: Any, server: str) -> str:
    port = stack.vllm_port if server == "vllm" else stack.rag_port
    return f"http://127.0.0.1:{port}/v1"


def ran(stack: Any, server: str, script: str, *words: str) -> tuple[str, str]:
    """(stdout, stderr) of a check that ends with 0."""
    done = stack.run(CHECKS + script, "--base-url", base_url(stack, server), *words)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


@pytest.mark.parametrize("server", SERVERS)
def test_health(stack: Any, server: str) -> None:
    out, err = ran(stack, server, "9_health.sh")
    assert err == ""
    assert re.findall(r"^\[OK\] ([a-z ]+):", out, re.MULTILINE) == [
        "health",
        "models",
        "chat",
        "stream",
        "completions",
        "bad request",
        "unknown model",
    ]
    assert ("canon ok" in out) == (server == "proxy")


@pytest.mark.parametrize("server", SERVERS)
def test_concurrency(stack: Any, server: str) -> None:
    out, err = ran(stack, server, "10_concurrency.sh")
    assert "[OK] At one moment all 4 were between their first and last token" in out
    assert err == ""


def test_more_requests_than_max_seqs(stack: Any) -> None:
    _, err = ran(stack, "vllm", "10_concurrency.sh", "--requests", "5")
    assert re.search(r"^\[WARN\] Only 4 of 5 ran at the same time; .* MAX_SEQS", err)


@pytest.mark.parametrize("server", SERVERS)
def test_tool_call(stack: Any, server: str) -> None:
    out, _ = ran(stack, server, "11_tool_call_test.py")
    assert "[OK] forced: find_character({" in out


@pytest.mark.parametrize("server", SERVERS)
def test_metrics(stack: Any, server: str) -> None:
    out, err = ran(stack, server, "12_metrics_check.py")
    assert f"counted at http://127.0.0.1:{stack.vllm_port}/metrics" in out
    assert "[OK] vllm:request_success: +3, 3 requests answered" in out
    assert err == ""


def test_snapshot(stack: Any, tmp_path: Path) -> None:
    ran(stack, "vllm", "13_sanity_snapshot.sh", "--out", str(tmp_path / "s.md"))
    text = (tmp_path / "s.md").read_text("utf-8")
    for name in (f"vllm-{stack.vllm_port}", f"proxy-{stack.rag_port}"):
        assert re.search(rf"^\| {name} \| \d+ \| \S+ \| running \|", text, re.MULTILINE)
    assert text.count("SmolLM2-135M-Instruct (max_model_len 8192)") == 2
