"""Presets, the fallback to the bundled model, and encoding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.rag import embedding
from scifi_llm.rag.embedding import BUNDLED, PRESETS, Embedder, choose, load, resolve


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_order_is_kept_and_vectors_have_unit_length(embedder: Embedder) -> None:
    texts = ["a", "a much longer text about the harbour " * 9, "Elena repairs sounders."] * 20
    vectors = embedder.encode_documents(texts)
    assert vectors.shape == (60, embedder.dimension) == (60, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.stack([embedder.encode_query(text) for text in texts[:3]])
    assert np.allclose(vectors[:3], alone, atol=1e-4)


def test_tokens_are_the_models_own(embedder: Embedder) -> None:
    assert embedder.max_tokens == 256
    assert embedder.count("hello world") == 4  # with its two special tokens


def test_fast_is_bundled_and_needs_no_hub() -> None:
    assert choose("fast") == BUNDLED


@pytest.mark.parametrize("preset", ["balanced", "quality"])
def test_a_preset_that_cannot_be_had_falls_back_and_says_how_to_upgrade(
    preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose(preset) == BUNDLED
    err = capsys.readouterr().err
    assert err.startswith(f"[WARN] Preset {preset} ({PRESETS[preset]}) cannot be had now: ")
    assert f"Later: RAG/2_embed_and_store.py --model {preset} --rebuild" in err
    assert err.count("\n") == 1


def test_a_hub_name_never_falls_back() -> None:
    with pytest.raises(ToolkitError, match=r"some/model is not on this machine"):
        choose("some/model")


def test_a_path_never_falls_back(tmp_path: Path) -> None:
    name = choose(str(tmp_path))
    assert name == str(tmp_path)
    with pytest.raises(ToolkitError, match="is not on this machine"):
        load(name)


def test_a_folder_that_is_no_embedding_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ToolkitError, match="is no embedding model"):
        load(str(tmp_path))


def test_a_local_folder_works_as_a_model(embedder: Embedder) -> None:
    folder = str(embedding._folder(BUNDLED))
    other = load(resolve(folder))
    assert (other.name, other.dimension) == (folder, 384)
