"""GPUs as NVML sees them: memory, utilisation, temperature. The only module that imports pynvml."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Gpu:
    """One GPU. Memory in bytes, `utilisation` 0 to 1, `temperature_c` in °C; None: not told."""

    index: int
    name: str
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    utilisation: float | None
    temperature_c: int | None


def load_nvml() -> Any:
    """The module pynvml, initialised, or one sentence that says why there is none."""
    try:
        with warnings.catch_warnings():
            # The package `pynvml` of the documented stack warns that nvidia-ml-py replaces it.
            warnings.simplefilter("ignore")
            import pynvml  # type: ignore[import-not-found]
    except ImportError:
        return "no figures: pynvml is not installed (it comes with the CUDA build)"
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return f"no figures: {error}"
    return pynvml


def read_gpus(nvml: Any) -> list[Gpu]:
    """Every GPU of the machine, by its index; [] where the driver has stopped to answer."""
    count = _told(nvml, nvml.nvmlDeviceGetCount) or 0
    return [_read(nvml, index) for index in range(count)]


def _read(nvml: Any, index: int) -> Gpu:
    handle = _told(nvml, lambda: nvml.nvmlDeviceGetHandleByIndex(index))
    if handle is None:
        return Gpu(index, "not answering", None, None, None, None)
    memory = _told(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    rates = _told(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    return Gpu(
        index,
        _told(nvml, lambda: nvml.nvmlDeviceGetName(handle)) or "GPU",
        memory.used if memory else None,
        memory.total if memory else None,
        rates.gpu / 100 if rates else None,
        _told(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
    )


def _told(nvml: Any, ask: Callable[[], Any]) -> Any:
    """What NVML answers, or None: laptops and WSL leave some questions unanswered."""
    try:
        return ask()
    except nvml.NVMLError:
        return None
