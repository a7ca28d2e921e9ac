"""Merging into a user's config.yaml: nothing of theirs is lost, nothing of ours is left."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.errors import ToolkitError
from scifi_llm.rag.editor import yaml_config

OURS = {"models": [{"name": "Canon", "stop": ["\n\n"], "rag": {"as_of": 5}}]}
USERS = """\
# My settings.
name: Mine
version: 2.0.0
schema: v1

models:
  # The big one, for hard questions.
  - name: Big   # never remove
    provider: anthropic
    apiKey: ${{ secrets.KEY }}
    roles: [chat]

rules:
  - |
    Write British English.

    Never use "suddenly".
"""

FLAT = (
    "models:\n# First.\n- {name: a}\n- name: b\n  roles: [chat]\nname: x\nversion: 1\nschema: v1\n"
)

words = st.text("abc:#-'\"{}[]é 1\t", max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(["name", "version", "rules", "docs", "with space", "über", "on", "1"])
files = st.builds(
    lambda data, models, flow, comments: dumped(data, models, flow, comments),
    st.dictionaries(keys, values, max_size=4),
    st.none() | st.lists(st.dictionaries(words, values, max_size=3), max_size=3),
    st.booleans(),
    st.booleans(),
)


def dumped(data: dict[str, object], models: object, flow: bool, comments: bool) -> str:
    """A file as users write them: lists as lines or in brackets, with or without models."""
    every = {**data, **({} if models is None else {"models": models})}
    if flow:
        text = "".join(f"{json.dumps(key)}: {json.dumps(every[key])}\n" for key in every)
    else:
        text = yaml.safe_dump(every, allow_unicode=True) if every else ""
    return f"# mine\n{text}# the end\n" if comments else text


def data_of(text: str) -> dict[str, object]:
    return yaml.safe_load(text) or {}


@given(files)
def test_ours_come_first_and_theirs_stay(text: str) -> None:
    before = data_of(text)
    merged = yaml_config.merge(text, OURS)
    after = data_of(merged)
    assert after["models"] == [*OURS["models"], *(before.get("models") or [])]  # type: ignore[misc]
    for key, value in before.items():
        if key != "models":
            assert after[key] == value
    assert {"name", "version", "schema"} <= set(after)


@given(files)
def test_every_line_of_theirs_stays_as_it_was(text: str) -> None:
    merged = yaml_config.merge(text, OURS)
    theirs = [line for line in text.splitlines() if not re.match('"?models"?: ', line)]
    left = iter(merged.splitlines())
    assert all(any(line == other for other in left) for line in theirs)


@given(files)
def test_a_second_run_changes_nothing(text: str) -> None:
    merged = yaml_config.merge(text, OURS)
    assert yaml_config.merge(merged, OURS) == merged


@given(files)
def test_removing_leaves_what_was_there(text: str) -> None:
    before, left = data_of(text), data_of(yaml_config.remove(yaml_config.merge(text, OURS)))
    assert {k: v for k, v in left.items() if v or k != "models"} == {
        k: v for k, v in before.items() if v or k != "models"
    }


def test_a_users_file_comes_back_byte_for_byte() -> None:
    for text in (USERS, USERS.replace("\n", "\r\n"), "\ufeff" + USERS, FLAT):
        merged = yaml_config.merge(text, OURS)
        assert merged != text
        assert yaml_config.remove(merged) == text
        assert ("\n" in merged.replace("\r\n", "")) == ("\r\n" not in text)


def test_where_ours_stand() -> None:
    merged = yaml_config.merge(USERS, {**OURS, "mcpServers": [{"name": "canon"}]})
    assert merged == USERS.replace(
        "models:\n",
        f"""models:
  {yaml_config.OPEN}
  - name: Canon
    stop:
    - '


      '
    rag:
      as_of: 5
  {yaml_config.CLOSE}
""",
    ) + (f"{yaml_config.OPEN}\nmcpServers:\n- name: canon\n{yaml_config.CLOSE}\n")


def test_a_new_file_has_what_continue_asks_for() -> None:
    merged = yaml_config.merge("", OURS)
    assert data_of(merged) == {"name": "Canon", "version": "0.0.1", "schema": "v1", **OURS}
    assert yaml_config.remove(merged) == ""


def test_fewer_entries_replace_more() -> None:
    many = {"models": [{"name": f"Canon {n}"} for n in range(3)], "mcpServers": [{"name": "c"}]}
    merged = yaml_config.merge(yaml_config.merge(USERS, many), OURS)
    assert merged == yaml_config.merge(USERS, OURS)


@pytest.mark.parametrize(
    "models", ["models:", "models: []", "models: null", "models: [\n]", "models: ~"]
)
def test_an_empty_list_is_filled(models: str) -> None:
    text = f"name: Mine\n{models}\nversion: '1'\n"
    merged = yaml_config.merge(text, OURS)
    assert data_of(merged)["models"] == OURS["models"]
    assert yaml_config.merge(merged, OURS) == merged
    assert not data_of(yaml_config.remove(merged))["models"]


@pytest.mark.parametrize("inside", ["{name: a}", "{name: a}, ", "{name: a},\n  {name: b}\n"])
def test_a_list_in_brackets_is_added_to(inside: str) -> None:
    text = f"name: Mine\nmodels: [{inside}]\n"
    merged = yaml_config.merge(text, OURS)
    before = data_of(text)["models"]
    assert data_of(merged)["models"] == [*OURS["models"], *before]  # type: ignore[misc]
    assert yaml_config.merge(merged, OURS) == merged


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nmodels: [\n", "not valid YAML in line"),
        ("a: b: c\n", "not valid YAML in line 1"),
        ("- a\n- b\n", r"no settings in it \(no 'key: value' lines\)"),
        ("just text", r"no settings in it \(no 'key: value' lines\)"),
        ("{name: a, models: []}", "in a form that nothing can be added to"),
        ("name: a\nmodels: {}\n", "in a form that nothing can be added to"),
        ("name: a\nmodels: some\n", "in a form that nothing can be added to"),
        (f"{yaml_config.OPEN}\nname: a\n", "stands alone"),
        (f"name: a\n{yaml_config.CLOSE}\n", "stands alone"),
        (
            f"{yaml_config.OPEN}\nname: mine\n{yaml_config.OPEN}\nx: 1\n{yaml_config.CLOSE}\n",
            "stands alone",
        ),
    ],
)
def test_what_cannot_be_merged_is_refused(text: str, message: str) -> None:
    with pytest.raises(ToolkitError, match=message):
        yaml_config.merge(text, OURS)
