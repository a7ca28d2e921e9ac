"""The memory forecast, against sums done by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.serving.forecast import Memory, forecast, longest_context
from scifi_llm.serving.profiles import profiles

CARD = Memory(32607 / 1024, 0.9)  # an RTX 5090 as nvidia-smi reports it
FOUND = profiles()


@pytest.mark.parametrize(
    ("model", "context", "kv_gib", "requests", "impossible"),
    [
        # 32768 × 128 KiB = 4 GiB; (28.66 − 15.0 − 1.5) / 4
        ("meta-llama/Llama-3.1-8B-Instruct", 32768, 4.0, 3.04, False),
        # the documented case: 27.5 + 64000 × 192 KiB = 39.2 GiB
        ("Qwen/Qwen2.5-14B-Instruct", 64000, 11.72, 0.0, True),
        ("casperhansen/qwen2.5-14b-instruct-awq", 64000, 11.72, 1.52, False),
        ("Qwen/Qwen2.5-7B-Instruct", 32768, 1.75, 7.41, False),
    ],
)
def test_by_hand(
    model: str, context: int, kv_gib: float, requests: float, impossible: bool
) -> None:
    found = forecast(FOUND[model], context, CARD)
    assert found.kv_gib == pytest.approx(kv_gib, abs=0.01)
    assert found.requests == pytest.approx(requests, abs=0.01)
    assert found.impossible is impossible


@given(
    st.sampled_from(sorted(FOUND)), st.integers(64, 131072), st.floats(1, 200), st.floats(0.1, 1)
)
def test_less_of_anything_never_fits_worse(
    model: str, context: int, gib: float, share: float
) -> None:
    profile, memory = FOUND[model], Memory(gib, share)
    found = forecast(profile, context, memory)
    assert forecast(profile, context, memory, 0.5).requests >= found.requests
    assert forecast(profile, context, memory, cache=0.5).requests >= found.requests
    assert forecast(profile, max(64, context // 2), memory).requests >= found.requests
    assert not (found.requests >= 1 and found.impossible)


@given(st.sampled_from(sorted(FOUND)), st.floats(1, 200))
def test_the_longest_context_fits_once(model: str, gib: float) -> None:
    profile, memory = FOUND[model], Memory(gib)
    context = longest_context(profile, memory)
    assert context % 1024 == 0
    assert context <= max(profile.yarn, profile.context)
    if context:
        assert forecast(profile, context, memory).requests >= 1
