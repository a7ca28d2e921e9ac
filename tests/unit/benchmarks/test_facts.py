"""Facts against a text: passages in other words, controls that only look wrong, whole stories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.benchmarks.facts import numbers
from scifi_llm.benchmarks.facts.check import check
from scifi_llm.benchmarks.facts.model import load, parse
from scifi_llm.benchmarks.facts.numbers import digits
from scifi_llm.errors import ToolkitError

PLANTED = yaml.safe_load(Path(__file__).with_name("planted.yaml").read_text("utf-8"))
HELD_OUT = yaml.safe_load(Path(__file__).with_name("held_out.yaml").read_text("utf-8"))
CASES = [
    pytest.param(entry["fact"], passage, kind, id=f"{entry['fact']['id']}-{kind}-{i}")
    for entry in PLANTED
    for kind in ("contradict", "keep", "control")
    for i, passage in enumerate(entry[kind])
]


@pytest.mark.parametrize(("fact", "passage", "kind"), CASES)
def test_passages(fact: dict[str, Any], passage: str, kind: str) -> None:
    (row,) = check(passage, parse([fact]))
    if kind == "contradict":
        assert row["verdict"] == "contradicted"
        assert row["quote"] in " ".join(passage.split())
    elif kind == "keep":
        assert row["verdict"] == "kept"
    else:
        assert row["verdict"] != "contradicted"


@pytest.mark.parametrize("entry", HELD_OUT, ids=["meridian", "tower", "ardent"])
def test_whole_stories_with_one_wrong_sentence(entry: dict[str, Any]) -> None:
    facts = parse(entry["facts"])
    assert [r["id"] for r in check(entry["control"], facts) if r["verdict"] == "contradicted"] == []
    for name, sentence in entry["bad"].items():
        paragraphs = entry["control"].split("\n\n")
        paragraphs.insert(len(paragraphs) // 2 + 1, sentence)
        rows = check("\n\n".join(paragraphs), facts)
        assert [r["id"] for r in rows if r["verdict"] == "contradicted"] == [name]


def test_a_death_in_the_story_does_not_deny_what_came_before() -> None:
    facts = parse([{"subject": "Silas Grant", "attribute": "status", "value": "dead"}])
    before = "Silas walked in and laughed.\n\nThat night Silas died."
    assert check(before, facts)[0]["verdict"] == "kept"
    after = f"{before}\n\nSilas walked in and poured the tea."
    assert check(after, facts)[0]["quote"] == "Silas walked in and poured the tea."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("thirty-four", "34"),
        ("a hundred and six crates", "106 crates"),
        ("two thousand three hundred and one", "2301"),
        ("3,000 men", "3000 men"),
        ("half a dozen", "6"),
        ("her fortieth year", "her 40th year"),
        ("in her thirties", "in her thirties"),
        ("the Second Helping", "the Second Helping"),
        ("someone else", "someone else"),
    ],
)
def test_numbers_as_words(text: str, expected: str) -> None:
    assert digits(text) == expected


@given(st.integers(min_value=1, max_value=99))
def test_digits_reads_what_people_write(number: int) -> None:
    tens = {v: k for k, v in numbers.TENS.items()}
    units = {v: k for k, v in numbers.UNITS.items()}
    if number in units:
        word = units[number]
    else:
        rest = number % 10
        word = tens[number - rest] + (f"-{units[rest]}" if rest else "")
    assert digits(word) == str(number)


@given(st.text(max_size=300))
def test_no_text_makes_it_fail(text: str) -> None:
    facts = parse([entry["fact"] for entry in PLANTED[:6]])
    assert len(check(text, facts)) == 6


def test_pronouns_that_two_could_be_are_left_open() -> None:
    eyes = {"attribute": "eyes", "value": "grey", "gender": "f"}
    facts = parse([{"subject": "Mara Voss", **eyes}, {"subject": "Ilse Brandt", **eyes}])
    for text in (
        "Mara and Ilse smiled. Her brown eyes closed.",
        "Mara nodded to Ilse. Then her brown eyes closed.",
        "Mara saw that Ilse had closed her brown eyes.",
    ):
        assert [row["verdict"] for row in check(text, facts)] == ["not mentioned"] * 2
    (mara, ilse) = check("Mara nodded to Ilse. Her brown eyes closed.", facts)
    assert (mara["verdict"], ilse["verdict"]) == ("contradicted", "not mentioned")


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"subject": "A", "attribute": "eye_color", "value": "Green"}, "colour"),
        ({"subject": "A", "attribute": "age", "value": 34}, "age"),
        ({"subject": "A", "attribute": "sibling", "value": "Bert"}, "relation"),
        ({"subject": "A", "attribute": "relation to Bert", "value": "sister"}, "relation"),
        ({"subject": "A", "attribute": "vital status", "value": "deceased"}, "status"),
        ({"subject": "A", "attribute": "birthplace", "value": "Quill"}, "place"),
        ({"subject": "A", "attribute": "number of ships", "value": "twenty-seven"}, "count"),
        ({"subject": "A", "attribute": "occupation", "value": "the ship's engineer"}, "rank"),
        ({"subject": "the war", "attribute": "ended in", "value": "year 2291"}, "count"),
        ({"subject": "the war", "attribute": "year", "value": 2291}, "date"),
        ({"statement": "Mara is thirty-four years old."}, "age"),
        ({"statement": "Mara's eyes are grey."}, "colour"),
        ({"statement": "Mara was born in Quill."}, "place"),
        ("Mara is dead.", "status"),
    ],
)
def test_kinds_of_facts(entry: Any, kind: str) -> None:
    assert parse([entry])[0].kind == kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no list of facts"),
        ("a: [", "is not valid YAML"),
        ("- {subject: Mara}", "fact-1 needs subject, attribute and value"),
        ("- 7", "fact-1 is no mapping"),
        (
            "- {id: a, subject: M, value: x}\n- {id: a, subject: M, value: y}",
            "two facts have the id a",
        ),
    ],
)
def test_wrong_files_say_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "facts.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ToolkitError, match=message):
        load(file)


def test_a_mapping_and_json_work_too(tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_text(
        '{"facts": {"eyes": {"subject": "Mara", "attribute": "eyes", "value": "grey"}}}'
    )
    assert [fact.id for fact in load(file)] == ["eyes"]


def test_a_sentence_without_end_is_read_in_pieces() -> None:
    facts = parse([entry["fact"] for entry in PLANTED[:4]])
    rows = check("Mara Voss and the Halcyon " * 2000 + "ended. Mara had brown eyes.", facts)
    assert rows[0]["verdict"] == "contradicted"
