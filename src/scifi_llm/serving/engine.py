"""The vLLM command line for a model, an engine and an installed version."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from ..settings import number
from .profiles import Profile
from .request import ServeRequest
from .versions import release

BACKEND_IS_A_FLAG = (0, 11)  # before it, the attention backend is an environment variable
ROPE_IS_AN_OVERRIDE = (0, 11)  # before it, there is a flag --rope-scaling
BACKEND = "VLLM_ATTENTION_BACKEND"
RESERVED = "VLLM_CPU_NUM_OF_RESERVED_CPU"
BATCHED_TOKENS = 2048  # that vLLM reads in one step, at least
FEW_CORES = 4  # up to here vLLM computes on all of them


@dataclass(frozen=True)
class Command:
    """Environment variables and words of a command line."""

    env: dict[str, str]
    argv: list[str]


def attention_backend() -> str:
    """FLASHINFER, unless the user has set vLLM's own variable."""
    return os.environ.get(BACKEND) or "FLASHINFER"


def usable_cores() -> int:
    """CPU cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def build_command(
    request: ServeRequest,
    profile: Profile,
    vllm_version: str,
    vllm: str = "vllm",
    cores: int | None = None,
) -> Command:
    """Environment and argv that start vLLM. Pure but for environment and cores."""
    argv = [vllm, "serve", request.model_path, "--served-model-name", request.model]
    argv += ["--host", request.host, "--port", str(request.port)]
    argv += ["--max-num-seqs", str(request.max_seqs), "--max-model-len", str(request.context)]
    # Continue's agent sends tools with every request; without these two it gets HTTP 400.
    argv += ["--enable-auto-tool-choice", "--tool-call-parser", profile.tool_parser]
    argv += ["--enable-prefix-caching", "--enable-prompt-tokens-details"]
    env = {"VLLM_NO_USAGE_STATS": "1"}
    if profile.quantization:
        argv += ["--quantization", profile.quantization]
    argv += yarn_arguments(request, profile, vllm_version)
    if request.model_path.startswith("/"):
        env["HF_HUB_OFFLINE"] = "1"
    if request.engine == "cpu":
        # Without AVX-512 float32 prefills 4.4 times faster than bfloat16; eager starts in a quarter
        # of the time.
        argv += ["--dtype", "float32", "--enforce-eager"]
        # A prompt read in pieces by a request with `seed` ends vLLM 0.32 on a CPU ("CPU Generator
        # does not use offset"): every prompt is read at once.
        argv += ["--no-enable-chunked-prefill"]
        argv += ["--max-num-batched-tokens", str(max(BATCHED_TOKENS, request.context))]
        env["VLLM_CPU_KVCACHE_SPACE"] = str(int(number("CPU_KV_CACHE_GIB", 1, 512)))
        # vLLM keeps a core free for its server, which waits while the model computes: of two cores
        # that is half of the speed.
        if RESERVED not in os.environ and (cores or usable_cores()) <= FEW_CORES:
            env[RESERVED] = "0"
    else:
        argv += ["--gpu-memory-utilization", f"{request.gpu_util:.2f}"]
        if release(vllm_version) < BACKEND_IS_A_FLAG:
            env[BACKEND] = attention_backend()
        else:
            argv += ["--attention-backend", attention_backend()]
    return Command(env, [*argv, *request.lora, *request.extra])


def yarn_arguments(request: ServeRequest, profile: Profile, vllm_version: str) -> list[str]:
    """YaRN scaling, only where the context is longer than the model was trained for.

    vLLM scales statically, which costs quality on short texts. factor = context / trained length,
    as the model cards of Qwen2.5 have it.
    """
    if not profile.yarn or request.context <= profile.context:
        return []
    rope: dict[str, object] = {
        "rope_type": "yarn",
        "factor": request.context / profile.context,
        "original_max_position_embeddings": profile.context,
    }
    if release(vllm_version) < ROPE_IS_AN_OVERRIDE:
        return ["--rope-scaling", json.dumps(rope)]
    # From transformers 5 on, theta stands in the same dict, and vLLM takes the longest context from
    # max_position_embeddings as it is: it no longer multiplies it by a YaRN factor.
    rope["rope_theta"] = profile.rope_theta
    override = {"max_position_embeddings": request.context, "rope_parameters": rope}
    return ["--hf-overrides", json.dumps(override)]
