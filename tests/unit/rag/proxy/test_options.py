"""What a request may ask: the field `rag`, headers, and the model's name."""

from __future__ import annotations

from typing import Any

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.rag.proxy.options import RagOptions, rag_options, split_model


def test_nothing_asked() -> None:
    assert rag_options(None) == rag_options({}) == rag_options({"as_of": None}) == RagOptions()


def test_the_body_wins_over_headers() -> None:
    headers = {
        "X-RAG-As-Of": "3",
        "x-rag-collection": "novel, lexicon,novel",
        "x-rag-enabled": "no",
        "x-rag-pov": "Sæunn".encode().decode("latin-1"),
        "x-rag-top-k": " 5 ",
        "x-rag-budget-tokens": "700",
        "x-rag-sources": "footer",
        "x-other": "9",
    }
    assert rag_options(None, headers) == RagOptions(
        False, ("novel", "lexicon"), 3, "Sæunn", 5, 700, "footer"
    )
    body = {"as_of": 0, "collection": ["other"], "enabled": True, "top_k": None}
    assert rag_options(body, headers) == RagOptions(True, ("other",), 0, "Sæunn", 5, 700, "footer")


def test_names_may_be_percent_encoded() -> None:
    assert rag_options(None, {"x-rag-pov": "S%C3%A6unn Mbeki"}).pov == "Sæunn Mbeki"


@pytest.mark.parametrize(
    ("value", "headers", "message"),
    [
        ([], {}, "The field 'rag' must be an object."),
        ({"as_off": 1}, {}, "The field 'rag' has no key 'as_off'; it has: enabled, collection"),
        ({"collection": [1]}, {}, r"rag.collection is \[1\]; it must be a name or a list of names"),
        ({"collection": " , "}, {}, "rag.collection is ' , '"),
        ({"collection": []}, {}, "rag.collection is"),
        ({"top_k": 0}, {}, "rag.top_k is 0; it must be from 1 to 1000000."),
        ({"as_of": True}, {}, "rag.as_of is True; it must be a chapter number."),
        ({"sources": "all"}, {}, "rag.sources is 'all'; it must be \"field\""),
        (None, {"x-rag-as-of": "two"}, "x-rag-as-of is 'two'; it must be a chapter number."),
        (None, {"x-rag-top-k": "-1"}, "x-rag-top-k is '-1'"),
        (None, {"x-rag-enabled": "maybe"}, "x-rag-enabled is 'maybe'; it must be true or false."),
        (None, {"x-rag-asof": "2"}, "x-rag-asof is unknown"),
    ],
)
def test_what_is_wrong_is_named(value: Any, headers: dict[str, str], message: str) -> None:
    with pytest.raises(ToolkitError, match=message):
        rag_options(value, headers)


@pytest.mark.parametrize(
    ("model", "served", "known", "expected"),
    [
        ("small@novel", ["small"], ["novel"], ("small", ("novel",))),
        ("small@novel,lexicon", [], ["novel", "lexicon"], ("small", ("novel", "lexicon"))),
        ("org/a@b@novel", ["org/a@b"], ["novel"], ("org/a@b", ("novel",))),
        ("small@novel", ["small@novel"], ["novel"], None),  # served under that name
        ("small@other", ["small"], ["novel"], ("small", ("other",))),
        ("small@other", [], ["novel"], None),  # nobody knows what is served
        ("small", ["small"], ["small"], None),
        ("@novel", ["small"], ["novel"], None),
        ("small@", ["small"], ["novel"], None),
        (None, ["small"], ["novel"], None),
    ],
)
def test_the_suffix_of_a_model(model: Any, served: Any, known: Any, expected: Any) -> None:
    assert split_model(model, served, known) == expected
