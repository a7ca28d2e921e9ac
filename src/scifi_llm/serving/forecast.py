"""Will it fit? Weights and KV cache against memory, before vLLM spends minutes to find out."""

from __future__ import annotations

from dataclasses import dataclass

from .profiles import GIB, Profile

# Activations and CUDA graphs, as vLLM reports them for 7 to 14B models; an estimate.
OVERHEAD_GIB = 1.5


@dataclass(frozen=True)
class Memory:
    """Memory that a server may take: all cards together, or the KV cache of a CPU."""

    total_gib: float
    share: float = 1.0

    @property
    def usable(self) -> float:
        """GiB that vLLM will take."""
        return self.total_gib * self.share


@dataclass(frozen=True)
class Forecast:
    """`requests` of full length fit at once; `impossible` where clearly not even one does."""

    weights_gib: float
    kv_gib: float
    usable_gib: float
    requests: float
    impossible: bool

    @property
    def needed_gib(self) -> float:
        """Weights and one request of full length."""
        return self.weights_gib + self.kv_gib


def forecast(
    profile: Profile, context: int, memory: Memory, weights: float = 1.0, cache: float = 1.0
) -> Forecast:
    """Forecast for `context` tokens. Pure.

    KV cache of a request = kv_bytes × context; requests = (memory × share − weights − overhead)
    / that. `weights` and `cache` scale them: 0.5 for fp8, 2 for float32. The overhead is an
    estimate, so that `impossible` leaves it out.
    """
    weights_gib = profile.weights_gib * weights
    kv_gib = profile.kv_bytes * cache * context / GIB
    left = memory.usable - weights_gib - OVERHEAD_GIB
    return Forecast(
        weights_gib,
        kv_gib,
        memory.usable,
        max(0.0, left / kv_gib) if kv_gib else 0.0,
        weights_gib + kv_gib > memory.usable,
    )


def longest_context(profile: Profile, memory: Memory) -> int:
    """The longest context, a multiple of 1024, at which one request of full length fits."""
    left = (memory.usable - profile.weights_gib - OVERHEAD_GIB) * GIB
    tokens = int(left // profile.kv_bytes) if profile.kv_bytes and left > 0 else 0
    return min(tokens, profile.yarn or profile.context) // 1024 * 1024
