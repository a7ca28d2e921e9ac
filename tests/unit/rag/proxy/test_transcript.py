"""Keys of conversations: equal for the same talk, different for any other."""

from __future__ import annotations

from typing import Any

import pytest

from scifi_llm.rag.proxy.footer import footer
from scifi_llm.rag.proxy.transcript import footers, history, keys

CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "You write."},
    {"role": "user", "content": "Who is Elena?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "1", "content": "42"},
    {"role": "assistant", "content": "A technician."},
    {"role": "user", "content": "And Jonas?"},
]
FOOTER = footer([{"path": "a.md", "heading": "A", "why": "name"}])


def changed(index: int, **fields: Any) -> list[dict[str, Any]]:
    talk = [dict(message) for message in TALK]
    talk[index] |= fields
    return talk


@pytest.mark.parametrize(
    ("index", "fields"),
    [
        (1, {"content": [{"type": "text", "text": "Who is Elena?"}]}),
        (1, {"content": "Who is Elena?\n"}),
        (2, {"content": ""}),
        (2, {"reasoning_content": "hm", "refusal": None}),
        (4, {"content": "A technician." + FOOTER}),
        (4, {"content": [{"type": "text", "text": "A technician." + FOOTER}], "tool_calls": []}),
    ],
)
def test_harmless_differences_make_none(index: int, fields: dict[str, Any]) -> None:
    assert keys(changed(index, **fields), "r") == keys(TALK, "r")


@pytest.mark.parametrize(
    ("index", "fields"),
    [
        (0, {"content": "You rhyme."}),
        (1, {"content": "Who is Elena"}),
        (1, {"content": [{"type": "text", "text": "Who is Elena?"}, {"type": "image_url"}]}),
        (1, {"name": "Ann"}),
        (2, {"tool_calls": [{**CALL, "function": {"name": "g", "arguments": "{}"}}]}),
        (3, {"content": "43"}),
        (4, {"content": "A thief."}),
    ],
)
def test_other_content_is_another_conversation(index: int, fields: dict[str, Any]) -> None:
    ours, theirs = keys(TALK, "r"), keys(changed(index, **fields), "r")
    assert len(ours) == len(theirs) == 2
    assert ours[1] != theirs[1]
    assert (ours[0] == theirs[0]) is (index > 1)


def test_other_rules_are_another_conversation() -> None:
    assert not set(keys(TALK, "as_of 1")) & set(keys(TALK, "as_of 2"))


def test_history_is_what_was_said_without_footers() -> None:
    assert history(changed(4, content="A technician." + FOOTER)) == (
        ("user", "Who is Elena?"),
        ("assistant", "A technician."),
        ("user", "And Jonas?"),
    )


def test_footers_are_found_in_text_and_parts() -> None:
    parts = [{"type": "text", "text": "x"}, {"type": "text", "text": "y" + FOOTER}]
    talk = [*changed(4, content="A." + FOOTER), {"role": "assistant", "content": parts}]
    talk.append({"role": "user", "content": "Quoted: A." + FOOTER})
    assert footers(talk) == [(4, None, "A."), (6, 1, "y")]
