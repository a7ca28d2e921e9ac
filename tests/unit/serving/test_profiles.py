"""Model profiles: the listed ones, and those read from a config.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.serving.profiles import Profile, from_config, profile_of, profiles


def test_profiles_hold_the_documented_models() -> None:
    found = profiles()
    assert list(found) == [
        "meta-llama/Llama-3.1-8B-Instruct",
        "Qwen/Qwen2.5-7B-Instruct",
        "Qwen/Qwen2.5-14B-Instruct",
        "casperhansen/qwen2.5-14b-instruct-awq",
        "Qwen/Qwen2.5-1.5B-Instruct",
        "SmolLM2-135M-Instruct",
    ]
    # 2 × layers × KV heads × head size × 2 bytes
    sizes = [(32, 8, 128), (28, 4, 128), (48, 8, 128), (48, 8, 128), (28, 2, 128), (30, 3, 64)]
    for profile, (layers, heads, size) in zip(found.values(), sizes, strict=True):
        assert profile.kv_bytes == 2 * layers * heads * size * 2
    # Qwen2.5 is trained for 32,768 tokens; more needs YaRN.
    assert found["Qwen/Qwen2.5-14B-Instruct"].context == 32768
    assert all(profile.smaller in ("", *found) for profile in found.values())


def test_a_profile_from_a_config() -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 576,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "num_hidden_layers": 30,
        "max_position_embeddings": 8192,
        "rope_theta": 100000,
    }
    assert from_config(config, 0.25).tool_parser == "hermes"
    assert from_config(config, 0.25, '{"[TOOL_CALLS]": 9}').tool_parser == "mistral"
    assert from_config(config, 0.25, '"<|python_tag|>"') == Profile(
        context=8192,
        rope_theta=100000.0,
        tool_parser="llama3_json",
        weights_gib=0.25,
        kv_bytes=23040,
    )
    assert from_config({}, 0.0) == Profile()


def test_a_folder_is_described_by_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 4096}))
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 2**20)
    found = profile_of("mine", str(tmp_path))
    assert (found.context, found.weights_gib) == (4096, 2**20 / 2**30)
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(ToolkitError, match="is damaged"):
        profile_of("mine", str(tmp_path))
    assert profile_of("m.gguf", str(tmp_path / "m.gguf")) == Profile()
