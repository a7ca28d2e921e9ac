"""Will it fit? Weights and KV cache against memory, before vLLM spends minutes to find out."""

from __future__ import annotations

from dataclasses import dataclass

from .profiles import GIB, Profile

# Activations and CUDA graphs, as vLLM reports them for 7 to 14B models; an estimate.
OVERHEAD_GIB = 1.5


@dataclass(frozen=True)
class Memory:
    """Memory that a server may take, of all its cards together."""

    card_gib: float
    share: float = 1.0
    cards: int = 1

    @property
    def usable(self) -> float:
        """GiB that vLLM will take."""
        return self.card_gib * self.share * self.cards

    @property
    def overhead(self) -> float:
        """GiB of it that are neither weights nor KV cache."""
        return OVERHEAD_GIB * self.cards


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
    / that. `weights` and `cache` scale them against 16 bit. The overhead is an
    estimate, so that `impossible` leaves it out.
    """
    weights_gib = profile.weights_gib * weights
    kv_gib = profile.kv_bytes * cache * context / GIB
    left = memory.usable - weights_gib - memory.overhead
    return Forecast(
        weights_gib,
        kv_gib,
        memory.usable,
        max(0.0, left / kv_gib) if kv_gib else 0.0,
        weights_gib + kv_gib > memory.usable,
    )


def longest_context(
    profile: Profile, memory: Memory, weights: float = 1.0, cache: float = 1.0
) -> int:
    """The longest context, a multiple of 1024, at which one request of full length fits."""
    left = (memory.usable - profile.weights_gib * weights - memory.overhead) * GIB
    tokens = int(left // (profile.kv_bytes * cache)) if profile.kv_bytes and left > 0 else 0
    return min(tokens, profile.yarn or profile.context) // 1024 * 1024
