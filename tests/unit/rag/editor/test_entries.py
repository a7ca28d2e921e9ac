"""The entries that editors get, by what is served."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.errors import ToolkitError
from scifi_llm.rag.editor import entries, json_config
from scifi_llm.rag.editor.entries import Served

URL = "http://localhost:8001/v1"


def served(**more: object) -> Served:
    given_: dict[str, object] = {"url": URL, "models": ("small",), "length": 8192, **more}
    return Served(**given_)  # type: ignore[arg-type]


@given(st.sets(st.integers(-3, 400)), st.integers(2, 9))
def test_switches_are_few_known_and_reach_from_first_to_last(known: set[int], most: int) -> None:
    found = entries.switches(known, most)
    real = sorted(chapter for chapter in known if chapter > 0)
    assert len(found) == min(most, len(real))
    assert set(found) <= set(real)
    assert list(found) == sorted(set(found))
    if real:
        assert (found[0], found[-1]) == (real[0], real[-1])


@given(st.integers(1, 200_000))
def test_nothing_longer_is_asked_for_than_is_served(length: int) -> None:
    for entry in entries.models(served(length=length), (3,)):
        options = entry.get("defaultCompletionOptions")
        if options:
            assert options["contextLength"] == length
        if "chat" in entry["roles"]:
            assert 1 <= options["maxTokens"] <= max(1, length // 2)
            assert options["maxTokens"] == 2000 or length < 4000


def test_only_served_models_are_named_and_adapters_have_an_entry() -> None:
    made = entries.models(served(models=("base", "style"), embedding_model="mini"), (5,))
    assert [(entry["name"], entry["model"]) for entry in made] == [
        ("Canon", "base"),
        ("Canon up to chapter 5", "base"),
        ("Canon with style", "style"),
        ("Canon edit", "base"),
        ("Canon edit up to chapter 5", "base"),
        ("Canon edit with style", "style"),
        ("No canon", "base"),
        ("Canon autocomplete", "base"),
        ("Canon embeddings", "mini"),
    ]
    assert {entry["apiBase"] for entry in made} == {URL}


def test_an_unknown_length_is_not_invented() -> None:
    for entry in entries.models(served(length=None), ()):
        assert "contextLength" not in entry.get("defaultCompletionOptions", {})


def test_what_each_entry_asks_of_retrieval() -> None:
    made = entries.models(served(), (5,))
    asked = {
        entry["name"]: entry["requestOptions"]["extraBodyProperties"]["rag"]
        for entry in made
        if "requestOptions" in entry
    }
    assert asked == {
        "Canon": {"sources": "footer"},
        "Canon up to chapter 5": {"sources": "footer", "as_of": 5},
        "Canon edit": {"sources": "none"},
        "Canon edit up to chapter 5": {"sources": "none", "as_of": 5},
        "No canon": {"enabled": False},
    }


def test_an_edit_takes_no_sources_into_the_manuscript() -> None:
    for entry in entries.models(served(models=("base", "style")), (5,)):
        if "edit" in entry["roles"]:
            rag = entry["requestOptions"]["extraBodyProperties"]["rag"]
            assert rag.get("sources") == "none" or rag["enabled"] is False


def test_tools_are_offered_only_where_they_are_taken() -> None:
    for tools in (True, False):
        made = entries.models(served(tools=tools), (5,))
        chats = [entry for entry in made if "chat" in entry["roles"]]
        assert {"capabilities" in entry for entry in chats} == {tools}


def test_the_legacy_form_has_the_documented_values() -> None:
    text, kept = json_config.merge("", entries.models(served(embedding_model="mini"), ()))
    data = json.loads(text)
    assert kept == []
    assert data["models"][0] == {
        "title": "Canon",
        "provider": "openai",
        "model": "small",
        "apiBase": URL,
        "apiKey": "EMPTY",
        "contextLength": 8192,
        "completionOptions": {"maxTokens": 2000, "temperature": 0.85},
        "requestOptions": {"extraBodyProperties": {"rag": {"sources": "footer"}}},
        "writtenBy": "setup_continue.sh",
    }
    assert data["tabAutocompleteModel"]["completionOptions"]["maxTokens"] == 48
    assert data["embeddingsProvider"]["model"] == "mini"


def test_a_legacy_edit_gets_canon_and_no_sources() -> None:
    text, _ = json_config.merge("", entries.models(served(), (5, 9)))
    data = json.loads(text)
    titles = ["Canon", "Canon up to chapter 5", "Canon up to chapter 9", "Canon edit", "No canon"]
    assert [entry["title"] for entry in data["models"]] == titles
    assert data["experimental"] == {
        "modelRoles": {"inlineEdit": "Canon edit", "applyCodeBlock": "No canon"}
    }
    rag = data["models"][3]["requestOptions"]["extraBodyProperties"]["rag"]
    assert rag == {"sources": "none"}


USERS = {"models": [{"title": "Big"}], "embeddingsProvider": {"provider": "free"}, "other": [1]}


def test_the_users_json_settings_stay_and_come_back() -> None:
    before = json.dumps(USERS)
    made = entries.models(served(embedding_model="mini"), (5,))
    merged, kept = json_config.merge(before, made)
    data = json.loads(merged)
    assert kept == ["embeddingsProvider"]
    assert data["models"][-1] == {"title": "Big"}
    assert data["embeddingsProvider"] == {"provider": "free"}
    assert json_config.merge(merged, made)[0] == merged
    assert json.loads(json_config.remove(merged)) == USERS
    assert json_config.remove(before) == before


@pytest.mark.parametrize(
    ("experimental", "merged", "kept"),
    [
        (
            {"promptPath": True},
            {
                "promptPath": True,
                "modelRoles": {"inlineEdit": "Canon edit", "applyCodeBlock": "No canon"},
            },
            [],
        ),
        (
            {"defaultContext": [], "modelRoles": {"inlineEdit": "Big"}},
            {
                "defaultContext": [],
                "modelRoles": {"inlineEdit": "Big", "applyCodeBlock": "No canon"},
            },
            ["experimental.modelRoles.inlineEdit"],
        ),
        ({"modelRoles": []}, {"modelRoles": []}, ["experimental.modelRoles"]),
        ("on", "on", ["experimental"]),
    ],
)
def test_the_users_legacy_roles_stay_and_come_back(
    experimental: object, merged: object, kept: list[str]
) -> None:
    before = json.dumps({"models": [{"title": "Big"}], "experimental": experimental})
    made = entries.models(served(), ())
    text, told = json_config.merge(before, made)
    assert json.loads(text)["experimental"] == merged
    assert told == kept
    assert json_config.merge(text, made) == (text, kept)
    assert json.loads(json_config.remove(text)) == json.loads(before)


def test_a_model_of_ours_that_the_user_has_chosen_for_edits_stays_chosen_while_it_is_there() -> (
    None
):
    made = entries.models(served(), (5,))
    data = json.loads(json_config.merge("", made)[0])
    data["experimental"]["modelRoles"]["inlineEdit"] = "Canon up to chapter 5"
    chosen = json.dumps(data, indent=2) + "\n"
    assert json_config.merge(chosen, made) == (chosen, [])
    without = json.loads(json_config.merge(chosen, entries.models(served(), ()))[0])
    assert without["experimental"]["modelRoles"]["inlineEdit"] == "Canon edit"
    assert json.loads(json_config.remove(chosen)) == {"models": []}


@pytest.mark.parametrize("text", ["{", "[]", '{"models": {}}', "// a comment\n{}"])
def test_json_that_is_no_config_is_refused(text: str) -> None:
    with pytest.raises(ToolkitError):
        json_config.merge(text, entries.models(served(), ()))
