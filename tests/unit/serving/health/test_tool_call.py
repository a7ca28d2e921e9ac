"""The tool call check, against servers that call, cannot call, refuse or answer nonsense."""

from __future__ import annotations

from typing import Any

import pytest

from scifi_llm.serving.health.tool_call import SCHEMA, SERVE, WEAK, faults, main

LOGS = "Read the logs: tail run/*.log"
GOOD = '{"name": "Elena Ruhl", "field": "born"}'
AUTO = f"[OK] auto: the model calls find_character({GOOD})\n"
FORCED = f"[OK] forced: find_character({GOOD}) fits the schema\n"
RESULT = "[OK] result: the answer uses the tool's result: She was born on Ganymede.\n"
NEXT = "[OK] Next: vllm/health_checks/12_metrics_check.py\n"


def head(url: str) -> str:
    return f"[TEST] Tool calls of tiny at {url}\n"


def test_the_round_trip(fake: Any, run: Any) -> None:
    expected = head(fake.url) + AUTO + FORCED + RESULT + NEXT
    assert run(main, "--base-url", fake.url) == (0, expected, "")
    assert [body["tool_choice"] for body in fake.sent] == [
        "auto",
        {"type": "function", "function": {"name": "find_character"}},
        "none",
    ]
    assert [message["role"] for message in fake.sent[2]["messages"]] == [
        "user",
        "assistant",
        "tool",
    ]
    assert fake.sent[2]["messages"][2]["tool_call_id"] == "1"


def test_a_model_that_is_too_small(fake: Any, run: Any) -> None:
    fake.auto_call, fake.final = False, "I like ships."
    assert run(main, "--base-url", fake.url) == (
        0,
        head(fake.url) + FORCED + NEXT,
        f"[WARN] auto: accepted, but the model answered without a call. {WEAK}\n"
        f"[WARN] result: accepted, but the answer does not use it. {WEAK}\n",
    )


def test_a_model_that_says_nothing_in_the_end(fake: Any, run: Any) -> None:
    fake.final = " "
    assert run(main, "--base-url", fake.url) == (
        0,
        head(fake.url) + AUTO + FORCED + NEXT,
        f"[WARN] result: accepted, but the model wrote no text. {WEAK}\n",
    )


def test_a_server_that_refuses(fake: Any, run: Any) -> None:
    fake.refuses_tools = True
    assert run(main, "--base-url", fake.url) == (
        1,
        head(fake.url),
        '[ERROR] The server refuses tools: "auto" tool choice requires --enable-auto-tool-choice '
        f"{SERVE}\n",
    )
    assert "--enable-auto-tool-choice" in SERVE
    assert "./serve_vllm.sh" in SERVE


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ('"Elena Ruhl"', "no JSON object"),
        ('{"name": "Elena', 'the arguments are not JSON: \'{"name": "Elena\''),
        ('{"name": "Elena Ruhl"}', "field is missing"),
    ],
)
def test_a_call_against_the_schema(fake: Any, run: Any, arguments: str, wrong: str) -> None:
    fake.call["arguments"] = arguments
    assert run(main, "--base-url", fake.url) == (
        1,
        head(fake.url),
        f"[WARN] auto: the model called, but {wrong}. {WEAK}\n"
        f"[ERROR] forced: the call breaks the schema: {wrong}. {LOGS}\n",
    )


def test_a_forced_call_that_is_not_made(fake: Any, run: Any) -> None:
    fake.call = None
    status, _, err = run(main, "--base-url", fake.url)
    assert (status, err.splitlines()[1]) == (
        1,
        f"[ERROR] forced: the answer has no tool call. {SERVE}",
    )


def test_a_call_of_another_form(fake: Any, run: Any) -> None:
    fake.call = {"name": "find_character", "arguments": {"name": "Elena Ruhl"}}
    status, _, err = run(main, "--base-url", fake.url)
    assert status == 1
    assert err.startswith("[ERROR] The tool call is not of OpenAI's form: [{'id': '1', 'type'")


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"name": "Marcus Holt", "field": "ship"}, []),
        ([], ["no JSON object"]),
        ({}, ["name is missing", "field is missing"]),
        ({"name": "Marcus Holt", "field": "age"}, ["field is 'age'"]),
        ({"name": 3, "field": "ship", "x": 1}, ["x is unknown", "name is no string"]),
    ],
)
def test_faults(arguments: Any, found: list[str]) -> None:
    assert faults(arguments, SCHEMA) == found
