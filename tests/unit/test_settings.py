"""Defaults of lib/defaults.env, and YAML errors."""

from __future__ import annotations

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.settings import defaults, number, parse_yaml, setting


def test_documented_defaults() -> None:
    found = defaults()
    assert (found["VLLM_PORT"], found["RAG_PORT"]) == ("8000", "8001")
    assert found["CUDA_MODEL"] == "meta-llama/Llama-3.1-8B-Instruct"
    assert (found["CUDA_MAX_SEQS"], found["CUDA_CONTEXT"], found["GPU_UTIL"]) == (
        "9",
        "32768",
        "0.90",
    )
    assert (found["CPU_CONTEXT"], found["BUDGET_TOKENS"]) == ("8192", "2000")


def test_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_PORT", "9001")
    assert setting("RAG_PORT") == "9001"
    monkeypatch.setenv("RAG_PORT", " ")
    assert setting("RAG_PORT") == "8001"
    assert setting("NO_SUCH_SETTING") == ""


@pytest.mark.parametrize(
    ("value", "message"), [("x", "is not a number"), ("-1", "not between 0 and 10")]
)
def test_numbers_are_checked(monkeypatch: pytest.MonkeyPatch, value: str, message: str) -> None:
    monkeypatch.setenv("BUDGET_TOKENS", value)
    with pytest.raises(ToolkitError, match=message):
        number("BUDGET_TOKENS", 0, 10)


def test_yaml_errors_name_the_line() -> None:
    assert parse_yaml("a: [1, 2]") == {"a": [1, 2]}
    with pytest.raises(ToolkitError, match="not valid YAML in line 3"):
        parse_yaml("a: 1\nb: [", first_line=2)
