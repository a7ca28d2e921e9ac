"""Backends against torch, their choice by the CPU, and the way back to torch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from scifi_llm.rag import backends, embedding
from scifi_llm.rag.backends import ONNX, OPENVINO, TORCH
from scifi_llm.rag.embedding import BUNDLED

TEXTS = [
    "Elena repairs sounders.",
    "The war begins when the ford opens, and nobody on the far bank knows why it is dry.",
    "x",
    "“You will not find it,” said Jonas. " * 30,
    "A map of the harbour, sold twice; the second buyer drowned.",
]


@pytest.fixture(scope="module")
def exact() -> np.ndarray:
    return embedding.load(BUNDLED, TORCH).encode_documents(TEXTS)


def test_each_backend_agrees_with_torch(exact: np.ndarray) -> None:
    names = [ONNX, backends.preferred()]
    for name in names:
        embedder = embedding.load(BUNDLED, name)
        assert embedder.backend.name == name
        vectors = embedder.encode_documents(TEXTS)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
        assert (vectors * exact).sum(1).mean() >= 0.985
        # A text has one vector, whatever it is padded with; int8 scales are those of a batch.
        alone = np.stack([embedder.encode_query(text) for text in TEXTS])
        assert (vectors * alone).sum(1).min() > (0.97 if name == ONNX else 0.999)


def test_the_sentence_transformer_itself_gives_torchs_vectors(exact: np.ndarray) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(embedding._folder(BUNDLED)), device="cpu")
    assert np.allclose(model.encode(TEXTS, normalize_embeddings=True), exact, atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"avx2", "avx512f", "avx512_bf16"}, OPENVINO),
        ({"avx2", "amx_bf16"}, OPENVINO),
        ({"avx2", "avx_vnni"}, ONNX),
        ({"avx2"}, ONNX),
        ({"sse4_2"}, TORCH),
        (set(), TORCH),
    ],
)
def test_the_cpu_chooses(flags: set[str], name: str) -> None:
    assert backends.preferred(frozenset(flags)) == name


def model_with(folder: Path, pooling: dict[str, object], kinds: list[str]) -> Path:
    folder.mkdir()
    (folder / "pool").mkdir()
    (folder / "pool" / "config.json").write_text(json.dumps(pooling))
    modules = [{"path": "pool" if k == "Pooling" else "", "type": f"st.models.{k}"} for k in kinds]
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder


@pytest.mark.parametrize(
    ("pooling", "kinds", "found"),
    [
        ({"pooling_mode_mean_tokens": True}, ["Transformer", "Pooling", "Normalize"], "mean"),
        ({"pooling_mode_cls_token": True}, ["Transformer", "Pooling"], "cls"),
        ({"pooling_mode": "cls"}, ["Transformer", "Pooling"], "cls"),
        ({"pooling_mode": "weightedmean"}, ["Transformer", "Pooling"], None),
        ({"pooling_mode_max_tokens": True}, ["Transformer", "Pooling"], None),
        ({"pooling_mode_mean_tokens": True}, ["Transformer", "Pooling", "Dense"], None),
        (
            {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
            ["Transformer", "Pooling"],
            None,
        ),
    ],
)
def test_only_known_poolings_are_exported(
    tmp_path: Path, pooling: dict[str, object], kinds: list[str], found: str | None
) -> None:
    assert backends.pooling(model_with(tmp_path / "m", pooling, kinds)) == found
    assert backends.pooling(tmp_path) is None


def test_a_failing_export_falls_back_to_torch_with_one_warning(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    exact: np.ndarray,
) -> None:
    # A model cache that cannot be written.
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCIFI_LLM_CACHE", str(tmp_path / "file"))
    embedder = embedding.load(BUNDLED, ONNX)
    assert embedder.backend.name == TORCH
    assert np.allclose(embedder.encode_documents(TEXTS), exact, atol=1e-5)
    err = capsys.readouterr().err
    assert err.startswith("[WARN] onnx-int8 cannot run this model (")
    assert err.count("\n") == 1


def test_an_export_is_whole_or_absent_and_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(embedding._folder(BUNDLED), folder)
    monkeypatch.setenv("SCIFI_LLM_CACHE", str(tmp_path / "cache"))
    made = backends.exported(folder, ONNX)
    assert "Preparing the embedding model for onnx-int8" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "cache" / "embedding").iterdir()] == [made.name]
    assert {path.name for path in made.iterdir()} == {"done", "model.int8.onnx"}
    assert backends.exported(folder, ONNX) == made
    assert capsys.readouterr().out == ""
    # Other weights, another export; the old one goes.
    (folder / "model.safetensors").touch()
    other = backends.exported(folder, ONNX)
    assert [path.name for path in (tmp_path / "cache" / "embedding").iterdir()] == [other.name]
    assert other != made
