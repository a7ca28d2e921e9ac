"""Changes to a chat body: each in its place, everything else as the client wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scifi_llm.rag.proxy.body import ChatBody

HEAD = '{"model":"m", "seed":1e2,"big":123456789012345678901234567890, "messages": ['


def sent(body: ChatBody) -> str:
    return body.content.decode()


def test_an_unchanged_body_is_the_clients_own_bytes() -> None:
    raw = b' {"a": 1.0,\n"messages":[ ] ,"a":2}\n'
    assert ChatBody(raw).content is raw


@pytest.mark.parametrize(
    ("raw", "rest"),
    [
        ('{"rag": {"as_of": 1}, "b": 1e400}', '{"b": 1e400}'),
        ('{"b": 1.0 , "rag":null}', '{"b": 1.0}'),
        ('{"rag": 1, "rag": 2}', "{}"),
        ('{"rag": 1, "a": 1,"rag": 2, "c": 3}', '{"a": 1, "c": 3}'),
    ],
)
def test_our_field_is_taken_out(raw: str, rest: str) -> None:
    assert sent(ChatBody(raw.encode())) == rest


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('"Wh\\u006f?"', '"LORE\\n\\nWh\\u006f?"'),
        ('""', '"LORE"'),
        ("null", '"LORE"'),
        ('[ {"type": "image_url"}]', '[{"type": "text", "text": "LORE"},  {"type": "image_url"}]'),
        ("[]", '[{"type": "text", "text": "LORE"}]'),
    ],
)
def test_text_goes_before_content_of_any_form(content: str, told: str) -> None:
    body = ChatBody(f'{HEAD}{{"role":"user","content":{content},"x":1.50}}]}}'.encode())
    body.put_before(0, "LORE")
    assert sent(body) == f'{HEAD}{{"role":"user","content":{told},"x":1.50}}]}}'


def test_a_message_without_content_gets_one() -> None:
    body = ChatBody(f'{HEAD}{{"role":"system"}}]}}'.encode())
    body.put_before(0, "LORE")
    assert body.told["messages"] == [{"role": "system", "content": "LORE"}]


def test_all_changes_together() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "three"},
    ]
    body = ChatBody(json.dumps({"rag": {}, "max_tokens": 9, "messages": messages}).encode())
    body.put_first({"role": "system", "content": "always"})
    body.put_before(0, "a")
    body.set_text(1, "2", 0)
    body.put_before(2, "b")
    body.set_field("max_tokens", 3)
    body.set_field("absent", 3)
    assert body.told == {
        "max_tokens": 3,
        "messages": [
            {"role": "system", "content": "always"},
            {"role": "user", "content": "a\n\none"},
            {"role": "assistant", "content": [{"type": "text", "text": "2"}]},
            {"role": "user", "content": "b\n\nthree"},
        ],
    }


@pytest.mark.parametrize("messages", ["7", '["x"]', "null", '{"a": 1}'])
def test_messages_that_are_none_are_left_alone(messages: str) -> None:
    body = ChatBody(f'{{"messages": {messages}}}'.encode())
    assert body.messages == []


@pytest.mark.parametrize("raw", [b"", b"nope", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        ChatBody(raw)


def test_json_that_is_no_object_is_refused() -> None:
    with pytest.raises(TypeError, match="not a JSON object"):
        ChatBody(b"[1]")
