"""The canon rules hold for every route: nothing hidden is found, named or counted."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scifi_llm.documents import Note, Section
from scifi_llm.rag import embedding, evaluate
from scifi_llm.rag.canon import visible
from scifi_llm.rag.dataset import Dataset
from scifi_llm.rag.passages import SearchRequest
from scifi_llm.rag.retrieval import Retriever
from scifi_llm.rag.scoring import ROUTES

# Every combination of rules, each note related to the next ones, all sharing one alias.
RULES = list(
    itertools.product(
        (None, 2, 4),  # from_chapter
        (None, 1, 3),  # until_chapter
        (None, ("Elena Ruhl",), ("Jonas",)),  # known_by
        (False, True),  # always
    )
)
SUBJECTS = ("war", "ford", "ship", "map", "water")
TITLES = [f"Secret {number} of the {SUBJECTS[number % 5]}" for number in range(len(RULES) + 6)]


def world() -> list[Section]:
    found = []
    for number, title in enumerate(TITLES):
        if number < len(RULES):
            start, until, known, always = RULES[number]
            note = Note(
                f"n{number:02}.md", title, "plot", ("the Murmur",), always, start, until, known,
                tuple(TITLES[number + 1 : number + 3]),
            )  # fmt: skip
        else:
            chapter = number - len(RULES) or None  # the first has no number
            note = Note(f"chapters/c{number}.md", title, "chapter", chapter=chapter)
        subject = SUBJECTS[number % 5]
        text = f"The {subject} of the Murmur began at noon, as {title} tells.\n\nIt was {number}."
        found.append(Section(note, (title,), text, 0, len(text)))
    return found


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chroma")
    evaluate.build(Dataset("world", world(), [], len(TITLES)), folder, embedding.BUNDLED)
    return folder


@pytest.fixture(scope="module")
def retrievers(root: Path) -> dict[frozenset[str], Retriever]:
    """One for each route alone, and one with all of them."""
    kinds = [ROUTES, *(frozenset({route}) for route in ROUTES)]
    return {kind: Retriever(root, "set-world", kind) for kind in kinds}


texts = st.one_of(
    st.sampled_from([*TITLES, "the Murmur", "What began at noon?", "Jonas and the water"]),
    st.text(st.sampled_from("Secret the Murmur war 1234 ?"), min_size=1, max_size=30),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    route=st.sampled_from([ROUTES, *(frozenset({route}) for route in sorted(ROUTES))]),
    query=texts,
    history=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), texts), max_size=4),
    as_of=st.one_of(st.none(), st.integers(0, 6)),
    pov=st.one_of(st.none(), st.sampled_from(["Elena Ruhl", "jonas ", "Nobody"])),
    top_k=st.one_of(st.none(), st.integers(1, 60)),
)
def test_nothing_hidden_is_told(
    retrievers: dict[frozenset[str], Retriever],
    route: frozenset[str],
    query: str,
    history: list[tuple[str, str]],
    as_of: int | None,
    pov: str | None,
    top_k: int | None,
) -> None:
    request = SearchRequest(query, tuple(history), as_of=as_of, pov=pov, top_k=top_k)
    searcher = retrievers[route]
    found = searcher.search(request)
    told = [*found.passages, *searcher.always(request), *(d.passage for d in found.dropped)]
    corpus = searcher.collection()
    hidden = {n.title for n in corpus.notes.values() if not visible(n, as_of, pov)}
    for passage in told:
        assert all(visible(chunk.note, as_of, pov) for chunk in passage.chunks)
        # A hidden note's title tells what it hides; the question itself may hold it.
        assert passage.routes.get("related to") not in hidden
    reasons = " ".join(d.reason for d in found.dropped)
    assert not any(note.path in reasons for note in corpus.notes.values() if note.title in hidden)
    if top_k is not None:
        assert len(found.passages) <= top_k
    keys = [key for passage in found.passages for key in passage.keys]
    assert len(keys) == len(set(keys))  # nothing twice, whichever route brought it


@pytest.mark.parametrize("as_of", [None, 0, 1, 2, 3, 4])
@pytest.mark.parametrize("pov", [None, "Elena Ruhl"])
def test_always_is_what_the_rules_show_in_order(
    retrievers: dict[frozenset[str], Retriever], as_of: int | None, pov: str | None
) -> None:
    found = retrievers[ROUTES].always(SearchRequest("", as_of=as_of, pov=pov))
    paths = list(dict.fromkeys(passage.chunk.note.path for passage in found))
    notes = [section.note for section in world()]
    assert paths == [n.path for n in notes if n.always and visible(n, as_of, pov)]
    assert all(passage.why == "always" for passage in found)


def test_what_the_model_has_is_not_found_again(
    retrievers: dict[frozenset[str], Retriever],
) -> None:
    searcher = retrievers[ROUTES]
    first = searcher.search(SearchRequest("the Murmur", top_k=3)).passages
    had = frozenset[str]().union(*(passage.keys for passage in first))
    again = searcher.search(SearchRequest("the Murmur", top_k=60, exclude=had)).passages
    assert again
    assert not had & frozenset[str]().union(*(passage.keys for passage in again))
