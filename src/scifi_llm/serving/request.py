"""What serve_vllm.sh was asked for, checked."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import ToolkitError
from ..numeric import share, whole
from ..settings import setting
from .lora import lora_arguments
from .models import locate

T = TypeVar("T", int, float)


@dataclass(frozen=True)
class ServeRequest:
    """A server to start: `typed` is the model as the user named it, `model` its served name,
    `model_path` what is loaded.
    """

    typed: str
    model: str
    model_path: str
    engine: str
    port: int
    max_seqs: int
    context: int
    gpu_util: float
    host: str = "127.0.0.1"
    lora: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def command(self, *more: str, **changes: Any) -> str:
        """The line that a user would type for this request, with changes and more vLLM words."""
        asked = replace(self, **changes)
        words = [asked.typed, asked.port, asked.max_seqs, asked.context]
        words += [f"{asked.gpu_util:.2f}"] if self.engine == "cuda" else []
        line = " ".join(["./serve_vllm.sh", *map(str, words)])
        behind = [*asked.extra, *more]
        return f"{line} -- {shlex.join(behind)}" if behind else line

    def extra_value(self, *names: str, default: str = "") -> str:
        """The value of one of vLLM's options behind `--`: `--name VALUE` or `--name=VALUE`."""
        for i, word in enumerate(self.extra):
            name, equals, value = word.partition("=")
            if name in names:
                following = self.extra[i + 1] if i + 1 < len(self.extra) else default
                return value if equals else following
        return default


def parse(arguments: list[str]) -> tuple[ServeRequest, argparse.Namespace]:
    """The request, and the options, of serve_vllm.sh's words; empty ones take the defaults.

    Raises ToolkitError for a number out of range or a model that is not on this machine.
    """
    parser = argparse.ArgumentParser(prog="engine")
    parser.add_argument("--engine", choices=["cpu", "cuda"], required=True)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--plan", type=Path)
    for name in ("model", "port", "max-seqs", "context", "gpu-util", "host"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("extra", nargs="*")
    options = parser.parse_args(arguments)
    prefix, model = options.engine.upper(), options.model
    seqs = options.max_seqs or setting(f"{prefix}_MAX_SEQS")
    context = options.context or setting(f"{prefix}_CONTEXT")
    request = ServeRequest(
        typed=model,
        model=Path(model).name if model.startswith(("/", ".", "~")) else model,
        model_path=locate(model),
        engine=options.engine,
        port=_checked("PORT", whole, options.port or setting("VLLM_PORT"), 1, 65535),
        max_seqs=_checked("MAX_SEQS", whole, seqs, 1, 4096),
        context=_checked("CONTEXT", whole, context, 64, 10_000_000),
        gpu_util=_checked("GPU_UTIL", share, options.gpu_util or setting("GPU_UTIL"), 0.05, 1.0),
        host=options.host or "127.0.0.1",
        lora=tuple(lora_arguments(os.environ.get("LORA", ""))),
        extra=tuple(options.extra),
    )
    return request, options


def _checked(name: str, check: Callable[..., T], text: str, *bounds: float) -> T:
    try:
        return check(text, *bounds)
    except ValueError as error:
        problem = f"{name} is {text!r}; it must be a {error}."
        raise ToolkitError(problem, "See: ./serve_vllm.sh --help") from None
