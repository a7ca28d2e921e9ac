"""A cross-encoder reorders the best passages: with a tiny one made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from scifi_llm.documents import Note
from scifi_llm.errors import ToolkitError
from scifi_llm.rag import reranking
from scifi_llm.rag.chunking import Chunk
from scifi_llm.rag.passages import Passage, SearchRequest
from scifi_llm.rag.retrieval import Retriever


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 1 layer with random weights that scores pairs of texts."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("cross")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *letters,
        *(f"##{x}" for x in letters),
    ]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, num_labels=1, max_position_embeddings=128, initializer_range=1.0,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def passage(number: int) -> Passage:
    chunk = Chunk(str(number), Note("a.md", "A"), (), "word " * (number + 1), 0, 9)
    return Passage("novel", (chunk,), 1.0 / (number + 1), "dense 0.50", {"dense": 0.5})


def test_the_best_are_reordered_by_the_model_and_the_rest_stay(model: Path) -> None:
    passages = [passage(number) for number in range(reranking.DEPTH + 3)]
    found = reranking.load(str(model))("elena", passages)
    assert found[reranking.DEPTH :] == passages[reranking.DEPTH :]
    best = found[: reranking.DEPTH]
    scores = [p.routes["rerank"] for p in best]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) > 1
    assert {p.chunk.id for p in best} == {p.chunk.id for p in passages[: reranking.DEPTH]}
    assert best[0].why == f"dense 0.50, rerank {scores[0]:.2f}"
    assert reranking.load(str(model))("elena", []) == []


def test_a_search_uses_it(model: Path, collection: Path) -> None:
    plain = Retriever(collection, "novel")
    reranked = Retriever(collection, "novel", rerank=reranking.load(str(model)))
    request = SearchRequest("Who repairs the sounders?", as_of=1)
    found = reranked.search(request).passages
    assert all("rerank" in p.routes for p in found)
    assert {p.keys for p in found} == {p.keys for p in plain.search(request).passages}


def test_what_is_no_cross_encoder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="is no cross-encoder"):
        reranking.load(str(tmp_path))
    with pytest.raises(ToolkitError, match="cannot be reached"):
        reranking.load("nobody/nothing")
