"""A trained adapter's folder: what it is, and on which model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..console import Parser
from ..errors import ToolkitError
from .bases import Shape, find_base, read_config, shape_of

WEIGHTS = "adapter_model.safetensors"
RUN_FILE = "run.json"
TRAIN = "Train one with: fine-tuning/scripts/2_train.py --config smoke_cpu"


@dataclass(frozen=True)
class Adapter:
    """An adapter: `base` is the model it was trained on; `run` what 2_train.py wrote of it."""

    folder: Path
    base: str
    settings: dict[str, Any]
    run: dict[str, Any]

    @property
    def dtype(self) -> str:
        """What it was computed in."""
        return str(self.run.get("config", {}).get("dtype", "float32"))


def adapter_parser(program: str, purpose: str) -> Parser:
    """A parser with the options of every script that takes an adapter."""
    example = f"example: ./{program} --adapter ../checkpoints/smoke_cpu"
    parser = Parser(prog=program, description=purpose, epilog=example)
    parser.add_argument(
        "--adapter", type=Path, required=True, metavar="DIR", help="what 2_train.py wrote"
    )
    parser.add_argument(
        "--base",
        default="",
        metavar="MODEL",
        help="the base, where the adapter does not name it",
    )
    return parser


def read_adapter(folder: Path, base: str = "") -> Adapter:
    """The adapter in a folder. `base` overrides the model that it names.

    Raises ToolkitError where there is none, where it is unfinished or damaged, or where its
    weights are not of the base's shape.
    """
    file = folder / "adapter_config.json"
    if not file.is_file() or not (folder / WEIGHTS).is_file():
        unfinished = any(folder.glob("checkpoint-*")) if folder.is_dir() else False
        raise ToolkitError(
            f"{folder} holds no {'finished ' if unfinished else ''}adapter.",
            "Go on with its training: 2_train.py … --resume" if unfinished else TRAIN,
        )
    settings = _json(file)
    run = _json(folder / RUN_FILE) if (folder / RUN_FILE).is_file() else {}
    named = base or run.get("config", {}).get("model") or settings.get("base_model_name_or_path")
    if not named:
        raise ToolkitError(f"{file} names no base model.", "Name it: --base MODEL")
    adapter = Adapter(folder, str(named), settings, run)
    check_shapes(adapter, shape_of(read_config(find_base(adapter.base))))
    return adapter


def _json(file: Path) -> dict[str, Any]:
    try:
        made = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        made = None
    if not isinstance(made, dict):
        raise ToolkitError(f"{file} is damaged.", "Copy the adapter anew.")
    return made


def tensor_shapes(file: Path) -> dict[str, list[int]]:
    """Names and shapes of the tensors in a safetensors file: its header is JSON.

    Raises ToolkitError where the file is cut off or no such file.
    """
    try:
        with file.open("rb") as opened:
            size = int.from_bytes(opened.read(8), "little")
            header = json.loads(opened.read(size)) if size < 100_000_000 else {}
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        end = max(entry["data_offsets"][1] for entry in entries.values())
        if file.stat().st_size != 8 + size + end:
            raise ValueError("cut off")
        return {name: list(entry["shape"]) for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, TypeError):
        raise ToolkitError(f"{file} is damaged or cut off.", "Copy the adapter anew.") from None


def check_shapes(adapter: Adapter, shape: Shape) -> None:
    """Raises ToolkitError where an adapter's matrices do not fit a base model's layers."""
    tensors = tensor_shapes(adapter.folder / WEIGHTS)
    for name, (inputs, outputs) in shape.linears.items():
        for key, size in tensors.items():
            if f".{name}.lora_A." in key and size[1] != inputs:
                raise _mismatch(
                    adapter, f"{name} takes {size[1]} inputs there, {inputs} in the base"
                )
            if f".{name}.lora_B." in key and size[0] != outputs:
                raise _mismatch(
                    adapter, f"{name} gives {size[0]} outputs there, {outputs} in the base"
                )
    layers = {int(part) for key in tensors for part in key.split(".") if part.isdigit()}
    if layers and max(layers) + 1 != shape.num_hidden_layers:
        raise _mismatch(
            adapter, f"it has {max(layers) + 1} layers, the base {shape.num_hidden_layers}"
        )


def _mismatch(adapter: Adapter, what: str) -> ToolkitError:
    return ToolkitError(
        f"The adapter in {adapter.folder} was not trained on {adapter.base}: {what}.",
        "Name the model that it was trained on: --base MODEL",
    )
