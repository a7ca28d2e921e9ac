"""What is said before a server is started: refusals, the memory forecast, warnings."""

from __future__ import annotations

from pathlib import Path

from ..console import log_ok, log_warn
from ..errors import ToolkitError
from ..settings import number
from .engine import attention_backend
from .forecast import Forecast, Memory, forecast, longest_context
from .profiles import GIB, Profile, profiles
from .request import ServeRequest


class OutOfMemoryForecast(ToolkitError):
    """The memory clearly does not suffice: the one advice that --force overrides."""


LONG_CONTEXT = 100_000
FP8_CACHE = ("--kv-cache-dtype", "fp8")
FP8_WEIGHTS = ("--quantization", "fp8")
# Times the 16 bit of the profiles. Embedding and output layer stay 16 bit under fp8.
FLOAT32, FP8, FP8_MODEL = 2.0, 0.5, 0.55


def advise(
    request: ServeRequest, profile: Profile, vllm_version: str, gpu_gib: float, force: bool
) -> None:
    """Print what is known to matter for this server.

    `gpu_gib` is the memory of one card, 0 where it is unknown. Raises ToolkitError where it cannot
    work, or, without `force`, where its memory clearly does not suffice.
    """
    refuse_unreachable_context(request, profile)
    refuse_few_sequences(request, vllm_version)
    if profile.yarn and request.context > profile.context:
        log_warn(
            f"{request.model} was trained for {profile.context} tokens: YaRN stretches it to "
            f"{request.context} (factor {request.context / profile.context:g}), which costs some "
            "quality on short texts."
        )
    if request.context >= LONG_CONTEXT:
        log_warn(
            f"A context of {request.context} tokens: from 100,000 on, answers are documented to "
            "slow down markedly and memory to run short. Ask for what a scene needs."
        )
    try:
        (advise_cpu if request.engine == "cpu" else advise_gpu)(request, profile, gpu_gib)
    except OutOfMemoryForecast as error:
        if not force:
            raise
        log_warn(f"{error.problem} Starting all the same (--force).")


def refuse_unreachable_context(request: ServeRequest, profile: Profile) -> None:
    """Raise ToolkitError for a context that the model cannot reach even with scaling."""
    limit = max(profile.context, profile.yarn)
    if limit and request.context > limit:
        raise ToolkitError(
            f"{request.model} cannot read {request.context} tokens; its limit is {limit}.",
            f"Start it with: {request.command(context=limit)}",
        )


def refuse_few_sequences(request: ServeRequest, vllm_version: str) -> None:
    """Raise ToolkitError for the one version that dies below 9 sequences."""
    if (
        request.engine == "cuda"
        and vllm_version.startswith("0.10.2")
        and request.max_seqs < 9
        and attention_backend() == "FLASHINFER"
    ):
        raise ToolkitError(
            f"vLLM 0.10.2 with FlashInfer crashes at its start with MAX_SEQS={request.max_seqs}: "
            "its warm-up needs 9 (vllm-project/vllm#24858).",
            f"Start it with: {request.command(max_seqs=9)}",
        )


def advise_gpu(request: ServeRequest, profile: Profile, gpu_gib: float) -> None:
    """Say how many requests of full length fit; raise OutOfMemoryForecast where not even one."""
    if not gpu_gib or not profile.kv_bytes or not profile.weights_gib:
        log_warn(f"No memory forecast: the size of {request.model} or of the GPU is unknown.")
        return
    memory = Memory(gpu_gib, request.gpu_util, cards(request))
    found = forecast(profile, request.context, memory, *scales(request))
    if not found.impossible:
        say_requests(request, found)
        return
    commands = [*remedies(request, profile, memory), "(or start it all the same: --force)"]
    raise OutOfMemoryForecast(
        f"{request.model} does not fit: weights {found.weights_gib:.1f} GiB and KV cache "
        f"{found.kv_gib:.1f} GiB for one request of {request.context} tokens are "
        f"{found.needed_gib:.1f} GiB; vLLM may take {found.usable_gib:.1f} GiB.",
        "\n  ".join(["What would work:", *commands]),
    )


def say_requests(request: ServeRequest, found: Forecast) -> None:
    """The forecast as a line: [OK], or [WARN] below two requests."""
    text = (
        f"Memory forecast: weights {found.weights_gib:.1f} GiB, KV cache {found.kv_gib:.2f} GiB a "
        f"request of {request.context} tokens; {found.requests:.1f} of full length fit at once"
    )
    if found.requests >= 2:
        log_ok(text)
    elif found.requests >= 1:
        log_warn(f"{text}. Others wait their turn.")
    else:
        log_warn(f"{text}: vLLM may refuse to start. A smaller CONTEXT is safer.")


def cards(request: ServeRequest) -> int:
    """GPUs that share the model: tensor times pipeline parallel size."""
    sizes = (
        request.extra_value("--tensor-parallel-size", "-tp", default="1"),
        request.extra_value("--pipeline-parallel-size", "-pp", default="1"),
    )
    product = 1
    for size in sizes:
        product *= int(size) if size.isdigit() and int(size) else 1
    return product


def scales(request: ServeRequest) -> tuple[float, float]:
    """Size of (weights, KV cache) against the profile's 16 bit."""
    weights = FP8_MODEL if request.extra_value("--quantization", "-q").startswith("fp8") else 1.0
    cache = FP8 if request.extra_value("--kv-cache-dtype").startswith("fp8") else 1.0
    return weights, cache


def remedies(request: ServeRequest, profile: Profile, memory: Memory) -> list[str]:
    """Commands that fit by the same forecast, the least change first."""

    def fits(model: Profile, weights: float, cache: float) -> bool:
        return not forecast(model, request.context, memory, weights, cache).impossible

    found, (weights, cache) = [], scales(request)
    context = longest_context(profile, memory, weights, cache)
    if 2048 <= context < request.context:
        found.append(request.command(context=context))
    if cache == 1.0 and fits(profile, weights, FP8):
        found.append(request.command(*FP8_CACHE))
    smaller = profiles().get(profile.smaller)
    if smaller and weights == 1.0 and fits(smaller, 1.0, cache):
        found.append(request.command(typed=profile.smaller))
    if not profile.quantization and weights == 1.0:
        if fits(profile, FP8_MODEL, cache):
            found.append(request.command(*FP8_WEIGHTS))
        elif cache == 1.0 and fits(profile, FP8_MODEL, FP8):
            found.append(request.command(*FP8_WEIGHTS, *FP8_CACHE))
    return found


def advise_cpu(request: ServeRequest, profile: Profile, _: float) -> None:
    """The same for a CPU, where CPU_KV_CACHE_GIB is the room and everything is float32."""
    if not profile.kv_bytes:
        log_warn(f"No memory forecast: the size of {request.model} is unknown.")
        return
    room = int(number("CPU_KV_CACHE_GIB", 1, 512))
    kv_gib = profile.kv_bytes * FLOAT32 * request.context / GIB
    weights = profile.weights_gib * FLOAT32
    if kv_gib > room:
        raise OutOfMemoryForecast(
            f"The KV cache of one request of {request.context} tokens is {kv_gib:.1f} GiB; "
            f"CPU_KV_CACHE_GIB is {room}.",
            f"Start it with: CPU_KV_CACHE_GIB={int(kv_gib) + 1} {request.command()}",
        )
    total = memory_gib()
    if total and weights + room > total:
        raise OutOfMemoryForecast(
            f"{request.model} needs {weights:.1f} GiB and its KV cache {room} GiB; this machine "
            f"has {total:.1f} GiB.",
            "Take a smaller model, or a smaller cache: CPU_KV_CACHE_GIB=1",
        )
    say_requests(request, Forecast(weights, kv_gib, room, room / kv_gib, False))


def memory_gib(file: Path = Path("/proc/meminfo")) -> float:
    """Memory of this machine, 0 where it is unknown."""
    try:
        line = next(row for row in file.read_text().splitlines() if row.startswith("MemTotal:"))
    except (OSError, StopIteration):
        return 0.0
    return int(line.split()[1]) * 1024 / GIB
