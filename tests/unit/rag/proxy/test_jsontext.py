"""Edits to JSON text: what is not edited stays byte for byte."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.rag.proxy.jsontext import Edits, decode, elements, literal, member, members, parse

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=4), values, max_size=6)
spacing = st.sampled_from([None, 1, 4])


@given(objects, spacing)
def test_members_are_found_where_they_stand(value: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    found = members(text, 0)
    assert [m.key for m in found] == list(value)
    assert [text[m.value : m.end] for m in found] == [text[m.value : m.end].strip() for m in found]
    assert {m.key: json.loads(text[m.value : m.end]) for m in found} == value


@given(st.lists(values, max_size=6), spacing)
def test_elements_are_found_where_they_stand(value: list[Any], indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert [json.loads(text[a:b]) for a, b in elements(text, 0)] == value


@given(objects, st.data(), spacing)
def test_dropped_members_are_gone_and_the_others_stay(
    value: dict[str, Any], data: st.DataObject, indent: int | None
) -> None:
    keys = data.draw(st.sets(st.sampled_from(sorted(value) or ["x"])))
    edits = Edits(json.dumps(value, indent=indent))
    edits.drop(0, keys)
    assert json.loads(edits.apply()) == {k: v for k, v in value.items() if k not in keys}


@given(objects, values, spacing)
def test_an_added_member_comes_last(value: dict[str, Any], new: Any, indent: int | None) -> None:
    edits = Edits(json.dumps(value, indent=indent))
    edits.add(0, "added", new)
    assert list(json.loads(edits.apply()).items())[-1] == ("added", new)


def test_numbers_duplicates_and_escapes_survive_an_edit() -> None:
    text = (
        '{ "a":1e400,"a" : 1.0, "n":123456789012345678901234567890, "s":"\\ud800\\u00e9", "z":-0.0}'
    )
    edits = Edits(text)
    found = member(text, 0, "n")
    assert found is not None
    edits.replace(found.value, found.end, "7")
    assert edits.apply() == text.replace("123456789012345678901234567890", "7")


def test_a_number_too_long_for_python_is_passed_on() -> None:
    digits = "9" * 5000
    assert parse(f'{{"n": {digits}}}') == {"n": 0}
    assert member(f'{{"n": {digits}}}', 0, "n") is not None


def test_the_last_of_equal_keys_counts() -> None:
    found = member('{"a": 1, "a": 2}', 0, "a")
    assert found is not None
    assert found.value == 14


def test_literals_are_valid_utf_8() -> None:
    assert literal("é") == '"é"'
    assert literal("é\ud800") == '"\\u00e9\\ud800"'


def test_every_encoding_of_json_is_read() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32-le"):
        assert parse(decode('{"a": "é"}'.encode(encoding))) == {"a": "é"}
