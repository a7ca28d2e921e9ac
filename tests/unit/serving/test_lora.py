"""Adapters: what vLLM is told, and what it cannot serve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.serving.lora import lora_arguments


def adapter(folder: Path, **config: Any) -> Path:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


def test_several_adapters_share_the_next_rank_that_vllm_takes(tmp_path: Path) -> None:
    a, b = adapter(tmp_path / "a", r=8), adapter(tmp_path / "b", r=24)
    assert lora_arguments(f"style={a}, calm={b}") == [
        *["--enable-lora", "--lora-modules", f"style={a}", f"calm={b}", "--max-lora-rank", "32"]
    ]
    assert lora_arguments(" ") == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"r": 8, "use_dora": True}, "uses DoRA, which vLLM does not serve"),
        ({"r": 8, "modules_to_save": ["lm_head"]}, "uses modules_to_save"),
        ({"r": 1024}, "has rank 1024; vLLM serves up to 512"),
        ({}, "is damaged"),
        ({"r": None}, "is damaged"),
    ],
)
def test_what_cannot_be_served(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    folder = adapter(tmp_path / "a", **config)
    with pytest.raises(ToolkitError, match=message):
        lora_arguments(f"style={folder}")


@pytest.mark.parametrize("text", ["style", "=x", "style=", "a=b,,"])
def test_wrong_forms(text: str, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError):
        lora_arguments(text)
