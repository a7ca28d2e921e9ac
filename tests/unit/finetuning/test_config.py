"""Training variants: the files of configs/, and everything that must be refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.finetuning.config import CONFIGS, find_config, from_mapping, load

BASE: dict[str, Any] = {"model": "some/model"}


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.name)
def test_every_variant_is_valid(file: Path) -> None:
    config = load(file)
    assert config.name == file.stem
    assert find_config(Path(file.stem)) == file


def test_the_documented_variants_are_there() -> None:
    names = {file.stem for file in CONFIGS.glob("*.yaml")}
    assert names >= {"qlora_8b_5090", "lora_8b_5090", "qlora_14b_5090", "smoke_cpu"}


def test_defaults_and_overrides() -> None:
    config = from_mapping({**BASE, "train": {"learning_rate": "2e-4"}}, "x", max_steps=7)
    assert config.train.learning_rate == 2e-4
    assert config.train.max_steps == 7
    assert (config.method, config.lora.rank, config.lora.targets) == ("qlora", 16, "all-linear")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"modle": "x"}, "unknown key modle"),
        ({"lora": {"rnak": 8}}, r"unknown key lora\.rnak"),
        ({"lora": [8]}, r"lora is \[8\], not a group of keys"),
        ({"lora": {"rank": "eight"}}, r"lora\.rank is 'eight', not a whole number"),
        ({"lora": {"rank": True}}, r"lora\.rank is True"),
        ({"lora": {"rslora": "maybe"}}, r"lora\.rslora is 'maybe', not true or false"),
        ({"model": None}, "model is missing"),
        ({"method": "full"}, "method is 'full'"),
        ({"max_length": 8}, "max_length is 8"),
        ({"train": {"learning_rate": 1}}, r"train\.learning_rate is 1"),
        ({"train": {"optimizer": "sgd"}}, r"train\.optimizer is 'sgd'"),
        ({"train": {"lora_plus": 16}}, r"train\.lora_plus with train\.optimizer paged_adamw_8bit"),
        ({"train": {"lora_plus": 0.5, "optimizer": "adamw_torch"}}, r"train\.lora_plus is 0\.5"),
        ({"evaluate": {"every": 0}}, r"evaluate\.patience without evaluate\.every"),
        ({"dtype": "float16"}, "qlora with dtype float16"),
        ({"parallel": {"gpus": 2}}, r"parallel\.gpus is 2 with strategy none"),
        ({"parallel": {"strategy": "fsdp"}}, "fsdp with one GPU"),
        ({"parallel": {"strategy": "fsdp", "gpus": 2}}, "fsdp with train.optimizer"),
        ({"lora": {"dora": True}}, "vLLM serves no DoRA"),
        ({"lora": {"modules_to_save": ["lm_head"]}}, "vLLM serves none"),
        ({"lora": {"rank": 12}}, "lora.rank is 12: vLLM serves 1, 8, 16"),
        ({"lora": {"targets": "q_proj,lm_head"}}, "names lm_head"),
        ({"evaluate": {"prompts": "The night"}}, "not a list of texts"),
    ],
)
def test_what_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolkitError, match=message) as caught:
        from_mapping({**BASE, **more}, "x")
    assert caught.value.fix


@pytest.mark.parametrize(
    "lora", [{"dora": True}, {"modules_to_save": ["embed_tokens"]}, {"rank": 12}]
)
def test_what_is_merged_need_not_be_servable(lora: dict[str, Any]) -> None:
    assert from_mapping({**BASE, "merge_only": True, "lora": lora}, "x").merge_only


def test_a_missing_file_lists_the_variants() -> None:
    with pytest.raises(ToolkitError, match=r"smoke_cpu\.yaml"):
        find_config(Path("nothing"))


@pytest.mark.parametrize("text", ["model: [", "- a\n- b", "", "model: a\nmodel2: b"])
def test_broken_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text, "utf-8")
    with pytest.raises(ToolkitError):
        load(tmp_path / "x.yaml")
