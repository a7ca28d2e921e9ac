"""What is known of a model: its entry in profiles.yaml, else what its own config.json says."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .. import hub
from ..errors import ToolkitError
from ..settings import parse_yaml

# vLLM's tool parsers by the token that a model's tokenizer has for them: without it they refuse to
# start. hermes needs none and reads the commonest format.
TOOL_PARSERS = {"<|python_tag|>": "llama3_json", "[TOOL_CALLS]": "mistral"}
GIB = 2**30


@dataclass(frozen=True)
class Profile:
    """A model as serve_vllm.sh needs to know it; 0 and "" stand for unknown.

    `context` and `yarn` in tokens; `kv_bytes` is the KV cache of one token in 16 bit.
    """

    context: int = 0
    yarn: int = 0
    rope_theta: float = 0.0
    tool_parser: str = "hermes"
    quantization: str = ""
    weights_gib: float = 0.0
    kv_bytes: int = 0
    smaller: str = ""
    gated: bool = False


def profiles() -> dict[str, Profile]:
    """The entries of profiles.yaml by model name.

    Raises ToolkitError for a key that no profile has.
    """
    text = (Path(__file__).parent / "profiles.yaml").read_text(encoding="utf-8")
    known = {field.name for field in fields(Profile)}
    found = {}
    for model, entry in parse_yaml(text).items():
        if strange := set(entry) - known:
            raise ToolkitError(f"profiles.yaml: {model} has the unknown keys {sorted(strange)}.")
        found[model] = Profile(**entry)
    return found


def profile_of(model: str, model_path: str) -> Profile:
    """The profile of a model: listed, or read from the config.json of its folder."""
    listed = profiles().get(model)
    if listed:
        return listed
    folder = Path(model_path) if model_path.startswith("/") else Path(hub.cached(model_path))
    config = folder / "config.json"
    if not config.is_file():  # a GGUF file tells vLLM itself
        return Profile()
    try:
        found = json.loads(config.read_text("utf-8"))
        # What is stored in float32 is half as large in the 16 bit that profiles are given in.
        stored = str(found.get("dtype") or found.get("torch_dtype"))
        weights = weights_gib(folder) / (2 if stored == "float32" else 1)
        return from_config(found, weights, tokens_of(folder))
    except (ValueError, TypeError, AttributeError):
        raise ToolkitError(f"{config} is damaged.", "Copy or download the model anew.") from None


def tokens_of(folder: Path) -> str:
    """The texts in which a tokenizer's special tokens stand."""
    files = (folder / "tokenizer.json", folder / "tokenizer_config.json")
    return "\n".join(file.read_text("utf-8") for file in files if file.is_file())


def from_config(config: dict[str, Any], weights: float, tokens: str = "") -> Profile:
    """A profile from a model's config.json and the texts of its tokenizer. Pure."""
    heads = config.get("num_attention_heads") or 0
    head_size = config.get("head_dim") or (config.get("hidden_size", 0) // heads if heads else 0)
    kv_heads = config.get("num_key_value_heads") or heads
    scaled = config.get("rope_scaling") or {}
    return Profile(
        context=int(config.get("max_position_embeddings") or 0),
        rope_theta=float(config.get("rope_theta") or scaled.get("rope_theta") or 0.0),
        tool_parser=next((TOOL_PARSERS[mark] for mark in TOOL_PARSERS if mark in tokens), "hermes"),
        weights_gib=weights,
        kv_bytes=2 * int(config.get("num_hidden_layers") or 0) * kv_heads * head_size * 2,
    )


def weights_gib(folder: Path) -> float:
    """Size of a folder's weights, in GiB; other copies of them beside do not count."""
    files = list(folder.glob("model*.safetensors")) or list(folder.glob("*.safetensors"))
    return sum(file.stat().st_size for file in files) / GIB
