"""Base models: where one is on this machine, and its shape."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .. import hub
from ..errors import ToolkitError
from ..paths import model_cache
from ..settings import setting


@dataclass(frozen=True)
class Shape:
    """A decoder's dimensions, as its config.json names them."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    head_dim: int = 0
    tie_word_embeddings: bool = False

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of each linear layer of one block: what `all-linear` adapts."""
        hidden, inner = self.hidden_size, self.intermediate_size
        queries = self.num_attention_heads * self.head_size
        keys = self.num_key_value_heads * self.head_size
        return {
            "q_proj": (hidden, queries),
            "k_proj": (hidden, keys),
            "v_proj": (hidden, keys),
            "o_proj": (queries, hidden),
            "gate_proj": (hidden, inner),
            "up_proj": (hidden, inner),
            "down_proj": (inner, hidden),
        }

    @property
    def linear_parameters(self) -> int:
        """Weights of all blocks' linear layers."""
        per_block = sum(inputs * outputs for inputs, outputs in self.linears.values())
        return self.num_hidden_layers * per_block

    @property
    def embedding_parameters(self) -> int:
        """Weights of input embedding and output head; one matrix where they are tied."""
        return self.vocab_size * self.hidden_size * (1 if self.tie_word_embeddings else 2)


def shape_of(config: dict[str, Any]) -> Shape:
    """The shape in a config.json.

    Raises ToolkitError where it is of another kind of model.
    """
    found = {field.name: config[field.name] for field in fields(Shape) if config.get(field.name)}
    found.setdefault("num_key_value_heads", found.get("num_attention_heads", 0))
    try:
        shape = Shape(**found)
    except TypeError:
        raise ToolkitError(
            "The base model's config.json has no hidden_size, num_hidden_layers, … of its own.",
            "Take a text model such as Llama, Qwen or SmolLM.",
        ) from None
    if not all(
        isinstance(value, int) and value > 0 for value in (shape.hidden_size, shape.vocab_size)
    ):
        raise ToolkitError("The base model's config.json is damaged.", "Fetch the model anew.")
    return shape


def find_base(model: str) -> str:
    """The folder of a base model: the bundled one, a folder, or one in the hub's cache.

    Raises ToolkitError where it is not on this machine.
    """
    bundled = model == setting("CPU_MODEL")
    folder = model_cache() / model if bundled else Path(model).expanduser()
    if (folder / "config.json").is_file():
        return str(folder.resolve())
    if bundled:
        raise ToolkitError(
            f"The bundled model {model} is not converted yet.",
            "Run: vllm/setup/6_download_model.sh",
        )
    if model.startswith(("/", "./", "../", "~")) or folder.is_dir():
        raise ToolkitError(f"{folder} holds no model (no config.json).", "Check the path.")
    found = _in_hub_cache(model)
    if not found:
        raise ToolkitError(
            f"The model {model} is not on this machine.",
            f"Fetch it with: MODEL={model} vllm/setup/6_download_model.sh",
        )
    return found


def _in_hub_cache(model: str) -> str:
    try:
        return hub.cached(model)
    except ImportError:  # a forecast is asked for on a Python without the hub's package
        return ""


def read_config(folder: str) -> dict[str, Any]:
    """The config.json of a model's folder.

    Raises ToolkitError where it is missing or damaged.
    """
    file = Path(folder) / "config.json"
    try:
        config = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        raise ToolkitError(f"{file} is missing or damaged.", "Fetch the model anew.") from None
    if not isinstance(config, dict):
        raise ToolkitError(f"{file} is damaged.", "Fetch the model anew.")
    return config
