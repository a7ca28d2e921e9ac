"""What is added to answers, and that nothing else in them changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.rag.proxy.streams import FooterWriter, takes_footer, with_sources

FOOT = "\n\n---\nCanon consulted:\n- Elena é (a.md)"


def event(index: int, delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
    return b"data: " + json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode() + b"\n\n"


TAIL = b': ping\n\ndata: {"id": "c", "choices": [], "usage": {"x": 1.50}}\n\ndata: [DONE]\n\n'


def written(data: bytes, cuts: list[int]) -> bytes:
    writer, out, last = FooterWriter(FOOT), b"", 0
    for cut in [*sorted(cuts), len(data)]:
        out += writer.feed(data[last:cut])
        last = cut
    return out + writer.close()


def texts(data: bytes) -> dict[int, str]:
    """Each choice's text as a client has it that stops at finish_reason."""
    found: dict[int, str] = {}
    ended: set[int] = set()
    for line in data.split(b"\n\n"):
        if not line.startswith(b"data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            index = choice["index"]
            if index not in ended:
                found[index] = found.get(index, "") + (choice["delta"].get("content") or "")
            if choice["finish_reason"]:
                ended.add(index)
    return found


@given(st.lists(st.integers(0, 900), max_size=5))
def test_every_choices_text_ends_with_the_footer(cuts: list[int]) -> None:
    data = b"".join(
        [
            event(0, {"role": "assistant", "content": ""}),
            event(0, {"content": "He"}),
            event(1, {"content": "She"}),
            event(0, {"content": "llo"}, "length"),  # vLLM ends with the last piece of text
            event(1, {"content": ""}, "stop"),  # others with an empty one
            TAIL,
        ]
    )
    out = written(data, cuts)
    assert texts(out) == {0: "Hello" + FOOT, 1: "She" + FOOT}
    assert out.endswith(TAIL)
    assert out.startswith(data[: data.index(b'"llo"')])


def test_a_stream_without_finish_reason_gets_it_before_the_end() -> None:
    out = written(event(0, {"content": "x"}) + event(1, {"role": "assistant"}) + TAIL, [])
    assert texts(out) == {0: "x" + FOOT, 1: ""}
    assert out.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "data",
    [
        event(0, {"tool_calls": [{"index": 0}]}) + event(0, {}, "tool_calls") + TAIL,
        event(0, {"content": "x"}) + event(0, {"tool_calls": [{}]}) + event(0, {}, "stop") + TAIL,
        event(0, {"reasoning_content": "hm"}) + event(0, {}, "length") + TAIL,
        event(0, {"content": "x"}) + event(0, {}, "content_filter") + TAIL,
        b'data: {"error": {"message": "x"}}\n\n',
        b'data: {"choices" nonsense}\n\ndata: {"choices": [7]}\n\n',
        b"half an ev",
    ],
)
def test_other_streams_pass_as_they_are(data: bytes) -> None:
    assert written(data, []) == data


def test_events_are_not_held_back() -> None:
    writer = FooterWriter(FOOT)
    one = event(0, {"content": "x"})
    assert writer.feed(one + b"data: ") == one
    huge = b"x" * 1_100_000
    assert writer.feed(huge) == b"data: " + huge


ANSWER = (
    b'{ "id":"1", "choices": [{"index":0,"message":{"role":"assistant","content":"H\\u0069"},'
    b'"finish_reason":"stop"}, {"index":1,"message":{"content":null,"tool_calls":[{}]},'
    b'"finish_reason":"tool_calls"}],"usage":{"x":1e400, "y":1.0}}\n'
)


def test_the_field_is_added_and_the_rest_stays() -> None:
    out = with_sources(ANSWER, {"status": "ok"})
    assert out == ANSWER.replace(b"1.0}}", b'1.0}, "rag": {"status": "ok"}}')
    assert with_sources(b"{}", {"status": "ok"}) == b'{"rag": {"status": "ok"}}'


def test_the_footer_goes_behind_text_only() -> None:
    choices = json.loads(with_sources(ANSWER, None, FOOT))["choices"]
    assert choices[0]["message"]["content"] == "Hi" + FOOT
    assert choices[1]["message"]["content"] is None


@pytest.mark.parametrize("answer", [b"", b"garbage", b"[1]", b"{broken", b"\xff\xfe\xff", b"7"])
def test_what_is_no_answer_stays(answer: bytes) -> None:
    assert with_sources(answer, {"status": "ok"}, FOOT) == answer


@pytest.mark.parametrize(
    ("fields", "takes"),
    [
        ({}, True),
        ({"response_format": {"type": "text"}, "logprobs": False}, True),
        ({"response_format": {"type": "json_object"}}, False),
        ({"guided_regex": "a+"}, False),
        ({"structured_outputs": {"json": {}}}, False),
        ({"logprobs": True}, False),
        ({"max_tokens": 16}, False),  # Continue's title of a chat; 12 in older versions
        ({"max_completion_tokens": 32, "max_tokens": 900}, False),
        ({"max_tokens": 33}, True),
        ({"max_tokens": None}, True),
        ({"max_tokens": "16"}, True),
    ],
)
def test_answers_for_programs_and_titles_take_no_footer(
    fields: dict[str, Any], takes: bool
) -> None:
    assert takes_footer(fields) is takes
