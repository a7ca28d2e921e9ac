"""Canon in a conversation: each turn keeps what it was given, whatever the author does with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scifi_llm.rag.proxy.footer import footer

ELENA = "Elena repairs sounders on the ship."
JONAS = "Jonas sells maps of the ford."
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "Elena is on the ford."}
Make = Callable[..., Any]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


async def test_each_request_begins_with_the_one_before(talk: Make, book: Any) -> None:
    book.write("style.md", "Short sentences.", always=True)
    ours = talk()
    before: list[Any] = []
    for question in ("Who is Elena ?", "And Jonas ?", "the ford ?", "And then ?"):
        told = await ours.ask(question)
        assert told[: len(before)] == before
        assert [message["role"] for message in told[1:]] == ["user", "assistant"] * (
            len(told) // 2 - 1
        ) + ["user"]
        before = told
    assert told[0]["role"] == "system"
    assert "Short sentences." in told[0]["content"]
    assert told[1]["content"].startswith("<canon>\n")
    assert told[1]["content"].endswith("</canon>\n\nWho is Elena ?")


async def test_what_the_transcript_holds_is_not_sent_again(talk: Make, book: Any) -> None:
    ours = talk()
    await ours.ask("Elena on the ship")
    told = await ours.ask("Elena on the ship, again: and Jonas")
    assert json.dumps(told).count(ELENA) == 1
    assert JONAS in told[-1]["content"]
    assert book.asked[-1].exclude == {"novel/elena.md", "novel/secret.md"}
    assert book.asked[-1].history == (("user", "Elena on the ship"), ("assistant", "Ok."))


async def test_tools_leave_the_turn_that_started_them_alone(talk: Make, book: Any) -> None:
    ours = talk()
    await ours.send(user("Who is Elena ?"))
    first = ours.told
    book.write("elena.md", "Elena was rewritten meanwhile.")
    response = await ours.send(CALLING, RESULT)
    assert ours.told == [*first, CALLING, RESULT]
    assert response.json()["rag"]["sources"][0]["path"] == "elena.md"
    assert len(book.asked) == 1


async def test_a_degraded_turn_stays_without_lore_while_tools_are_called(
    talk: Make, book: Any
) -> None:
    ours = talk()
    book.failure = RuntimeError("locked")
    await ours.send(user("Who is Elena ?"))
    book.failure = None
    await ours.send(CALLING, RESULT)
    assert ours.told == [user("Who is Elena ?"), CALLING, RESULT]


async def test_branches_tools_edits_and_a_restart(talk: Make, book: Any) -> None:
    first = talk()
    a1 = await first.ask("Who is Elena ?")
    trunk = first.messages
    a2 = await first.ask("And Jonas ?")
    await first.send(user("the ship"), CALLING, RESULT)
    tools = first.told
    # A branch from the trunk, while the canon changes, and the second question edited.
    book.write("jonas.md", "Jonas draws maps now.")
    branch = talk()
    branch.messages = trunk
    b2 = await branch.ask("And the maps of Jonas ?")
    assert b2[: len(a1)] == a1
    assert "Jonas draws maps now." in b2[-1]["content"]
    # A new proxy over the same state goes on with both.
    again = talk()
    again.messages = first.messages
    await again.send({"role": "assistant", "content": "Done."}, user("Thanks"))
    assert again.told[: len(tools)] == tools
    assert again.told[: len(a2)] == a2
    assert "draws" not in json.dumps(again.told)
    other = talk()
    other.messages = branch.messages
    assert (await other.ask("Elena hides ?"))[: len(b2)] == b2


async def test_a_branch_keeps_its_own_answer_to_a_regenerated_turn(talk: Make, book: Any) -> None:
    ours = talk()
    await ours.ask("And Jonas ?")
    old = await ours.ask("Go on")
    book.write("jonas.md", "Jonas draws maps now.")
    again = talk()
    assert "draws" in (await again.ask("And Jonas ?"))[0]["content"]
    # The regenerated turn was recorded anew; the conversation that went on keeps its own.
    assert (await ours.ask("And on"))[: len(old)] == old


async def test_two_conversations_do_not_mix(talk: Make) -> None:
    one, two = talk(), talk()
    first, second = await one.ask("Elena ?"), await two.ask("Jonas ?")
    assert (await one.ask("Go on"))[:1] == first
    assert (await two.ask("Go on"))[:1] == second
    assert first != second


@pytest.mark.parametrize(
    "again",
    [
        [{"type": "text", "text": "Who is Elena ?"}],
        "Who is Elena ?\n",
    ],
)
async def test_how_a_client_writes_it_makes_no_difference(talk: Make, again: Any) -> None:
    ours = talk()
    told = await ours.ask("Who is Elena ?")
    ours.messages[0] = {"role": "user", "content": again}
    later = await ours.ask("Go on")
    lore = told[0]["content"].removesuffix("\n\nWho is Elena ?")
    content = later[0]["content"]
    if isinstance(again, list):
        assert content == [{"type": "text", "text": lore}, *again]
    else:
        assert content == f"{lore}\n\n{again}"


async def test_a_footer_in_the_history_changes_nothing(talk: Make) -> None:
    ours = talk()
    told = await ours.ask("Who is Elena ?")
    told = [*told, dict(ours.messages[-1])]
    ours.messages[-1]["content"] += footer([{"path": "a.md", "heading": "A", "why": "x"}])
    assert (await ours.ask("Go on"))[: len(told)] == told


async def test_the_always_block_changes_with_the_canon_and_only_then(talk: Make, book: Any) -> None:
    book.write("style.md", "Short sentences.", always=True)
    ours = talk()
    ours.messages = [{"role": "system", "content": [{"type": "text", "text": "You write."}]}]
    system = (await ours.ask("Elena ?"))[0]
    assert [part["type"] for part in system["content"]] == ["text", "text"]
    assert system["content"][1] == {"type": "text", "text": "You write."}
    assert (await ours.ask("Jonas ?"))[0] == system
    book.failure = RuntimeError("locked")  # the last known block stands in
    assert (await ours.ask("Go on"))[0] == system
    book.failure = None
    book.write("style.md", "Long sentences.", always=True)
    told = await ours.ask("And on")
    assert told[0] != system
    assert "Long sentences." in told[0]["content"][0]["text"]


async def test_a_template_without_system_role(talk: Make, book: Any, upstream: Any) -> None:
    upstream.system_role = False
    book.write("style.md", "Short sentences.", always=True)
    ours = talk()
    first = await ours.ask("Elena ?")
    assert [message["role"] for message in first] == ["user"]
    assert first[0]["content"].index("Short sentences.") < first[0]["content"].index(ELENA)
    assert (await ours.ask("Jonas ?"))[:1] == first


@pytest.mark.parametrize(
    ("first", "then"),
    [({"as_of": 5}, {"as_of": 2}), ({}, {"as_of": 2}), ({"pov": "Elena"}, {"pov": "Jonas"})],
)
async def test_what_new_rules_hide_is_not_replayed(
    talk: Make, first: dict[str, Any], then: dict[str, Any]
) -> None:
    ours = talk()
    ours.fields = {"rag": {**first, "top_k": 9}}
    hidden = "The war begins at" if "as_of" in then else "Elena hides the map."
    assert hidden in json.dumps(await ours.ask("When begins the war ; what hides Elena"))
    ours.fields = {"rag": {**then, "top_k": 9}}
    assert hidden not in json.dumps(await ours.ask("Elena on the ship"))
    ours.fields = {"rag": {**first, "top_k": 9}}
    assert hidden in json.dumps(await ours.ask("Go on"))


@pytest.mark.parametrize("placement", ["tail", "system"])
async def test_the_usual_ways_for_comparison(talk: Make, book: Any, placement: str) -> None:
    book.write("style.md", "Short sentences.", always=True)
    ours = talk(placement=placement)
    await ours.ask("Elena on the ship")
    told = await ours.ask("Jonas sells")
    assert json.dumps(told).count("Short sentences.") == 1
    assert ELENA not in json.dumps(told)
    place = told[-1] if placement == "tail" else told[0]
    assert place["role"] == ("user" if placement == "tail" else "system")
    assert JONAS in place["content"]
    assert "Short sentences." in place["content"]


async def test_disabled_turns_are_sent_as_they_are(talk: Make) -> None:
    ours = talk()
    first = await ours.ask("Elena ?")
    ours.fields = {"rag": {"enabled": False}}
    assert await ours.ask("Jonas ?") == ours.messages[:-1]
    ours.fields = {}
    assert (await ours.ask("Go on"))[:1] == first
