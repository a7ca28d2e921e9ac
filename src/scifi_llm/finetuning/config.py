"""Training variants: configs/*.yaml, checked whole before anything is loaded."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from ..errors import ToolkitError
from ..paths import REPO
from ..settings import parse_yaml
from .bases import Shape
from .rules import problems

CONFIGS = REPO / "fine-tuning" / "configs"


@dataclass(frozen=True)
class Lora:
    """The adapter: alpha / rank scales it, with rslora alpha / sqrt(rank)."""

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0
    targets: str = "all-linear"
    rslora: bool = False
    dora: bool = False
    modules_to_save: tuple[str, ...] = ()


@dataclass(frozen=True)
class Train:
    """The run: one step sees batch x accumulate x gpus rows of max_length tokens.

    `lora_plus` is the ratio of the learning rates of B and A matrices, 0 for one rate. `loss` is
    "all" or "completion" (only the author's words, where a prompt stands before them).
    """

    epochs: float = 3.0
    max_steps: int = 0
    batch: int = 1
    accumulate: int = 8
    learning_rate: float = 2e-4
    lora_plus: float = 0.0
    schedule: str = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    optimizer: str = "paged_adamw_8bit"
    gradient_checkpointing: bool = True
    packing: bool = True
    loss: str = "completion"
    seed: int = 7


@dataclass(frozen=True)
class Evaluate:
    """Every `every` steps: loss on validation.jsonl, a checkpoint, and samples from `prompts`.

    Training ends after `patience` evaluations without a lower loss; 0: never before its end.
    """

    every: int = 50
    patience: int = 3
    keep: int = 2
    prompts: tuple[str, ...] = ()
    sample_tokens: int = 120


@dataclass(frozen=True)
class Parallel:
    """Several GPUs through accelerate: "none", "ddp" or "fsdp"."""

    strategy: str = "none"
    gpus: int = 1


@dataclass(frozen=True)
class Config:
    """One variant. `method` is qlora (base in NF4) or lora; `dtype` what is computed in.

    `merge_only`: the adapter will be merged, so that it need not be one that vLLM serves. `card`
    and `shape` are for a forecast before there is a GPU or the model on this machine.
    """

    name: str
    model: str
    method: str = "qlora"
    dtype: str = "bfloat16"
    max_length: int = 2048
    merge_only: bool = False
    lora: Lora = field(default_factory=Lora)
    train: Train = field(default_factory=Train)
    evaluate: Evaluate = field(default_factory=Evaluate)
    parallel: Parallel = field(default_factory=Parallel)
    card: str = ""
    shape: Shape | None = None


def find_config(name: Path) -> Path:
    """A variant's file: a path, or a name of configs/ with or without .yaml.

    Raises ToolkitError that lists what there is.
    """
    for candidate in (name, CONFIGS / name, CONFIGS / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(file.name for file in CONFIGS.glob("*.yaml")))
    raise ToolkitError(f"There is no variant {name}.", f"In {CONFIGS}: {known}")


def load(file: Path, **changes: Any) -> Config:
    """The checked variant of a file; `changes` override values of `train`.

    Raises ToolkitError for unknown keys, wrong types and combinations that cannot work.
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ToolkitError(f"{file} cannot be read.", "Check the path.") from None
    try:
        raw = parse_yaml(text)
    except ToolkitError as error:
        raise ToolkitError(f"{file} is {error.problem}.", "Mend that line.") from None
    return from_mapping(raw, file.stem, **changes)


def from_mapping(raw: Any, name: str, **changes: Any) -> Config:
    """The checked variant of what a YAML file says.

    Raises ToolkitError as `load` does, naming key and value.
    """
    if not isinstance(raw, dict):
        raise ToolkitError(f"{name} holds no `key: value` lines.", "See fine-tuning/configs/.")
    config: Config = _section(Config, {**raw, "name": name}, name, "")
    config = replace(config, train=replace(config.train, **changes))
    found = problems(config)
    if found:
        problem, fix = found[0]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise ToolkitError(f"{name}: {problem}{more}.", fix)
    return config


def _section(kind: type, raw: Any, name: str, path: str) -> Any:
    if not isinstance(raw, dict):
        raise ToolkitError(
            f"{name}: {path[:-1]} is {raw!r}, not a group of keys.", "Indent its keys."
        )
    known = {entry.name: entry for entry in fields(kind)}
    for key in raw:
        if key not in known:
            raise ToolkitError(
                f"{name}: unknown key {path}{key}.",
                f"Known here: {', '.join(sorted(set(known) - {'name'}))}.",
            )
    for key, entry in known.items():
        needed = entry.default is MISSING and entry.default_factory is MISSING
        if needed and raw.get(key) is None:
            raise ToolkitError(f"{name}: {path}{key} is missing.", "Add it.")
    hints = get_type_hints(kind)
    values = {key: _value(hints[key], value, name, f"{path}{key}") for key, value in raw.items()}
    return kind(**values)


def _value(hint: Any, value: Any, name: str, path: str) -> Any:
    if hint in (Lora, Train, Evaluate, Parallel):
        return _section(hint, value, name, f"{path}.")
    if hint == Shape | None:
        return None if value is None else _section(Shape, value, name, f"{path}.")
    if hint == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise ToolkitError(f"{name}: {path} is {value!r}, not a list of texts.", "Write: [a, b]")
    return _plain(hint, value, name, path)


def _plain(hint: Any, value: Any, name: str, path: str) -> Any:
    if hint is float and isinstance(value, str):  # YAML 1.1 reads 2e-4 as text
        try:
            return float(value)
        except ValueError:
            pass
    fits = isinstance(value, (int, float) if hint is float else hint)
    if not fits or (hint is not bool and isinstance(value, bool)):
        kinds = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
        raise ToolkitError(f"{name}: {path} is {value!r}, not {kinds[hint]}.", "Mend that line.")
    return float(value) if hint is float else value
