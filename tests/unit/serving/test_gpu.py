"""What NVML tells, in part or not at all. The library here is a stand-in that is handed in."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from scifi_llm.serving.gpu import Gpu, load_nvml, read_gpus

GIB = 1024**3


class NVMLError(Exception):
    pass


def answering(*missing: str) -> Any:
    """NVML of one GPU; the questions named in `missing` it refuses, as a laptop's does."""
    answers = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda index: f"handle {index}",
        "nvmlDeviceGetName": lambda handle: "NVIDIA GeForce RTX 5090",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(used=24 * GIB, total=32 * GIB),
        "nvmlDeviceGetUtilizationRates": lambda handle: SimpleNamespace(gpu=87, memory=40),
        "nvmlDeviceGetTemperature": lambda handle, sensor: 61,
    }

    def refuse(*words: object) -> Any:
        raise NVMLError("Not Supported")

    made = ModuleType("pynvml")
    for name, answer in answers.items():
        setattr(made, name, refuse if name in missing else answer)
    made.NVMLError, made.NVML_TEMPERATURE_GPU = NVMLError, 0  # type: ignore[attr-defined]
    return made


def test_everything_is_told() -> None:
    assert read_gpus(answering()) == [
        Gpu(0, "NVIDIA GeForce RTX 5090", 24 * GIB, 32 * GIB, 0.87, 61)
    ]


@pytest.mark.parametrize(
    ("missing", "gpu"),
    [
        ("nvmlDeviceGetName", Gpu(0, "GPU", 24 * GIB, 32 * GIB, 0.87, 61)),
        ("nvmlDeviceGetMemoryInfo", Gpu(0, "NVIDIA GeForce RTX 5090", None, None, 0.87, 61)),
        (
            "nvmlDeviceGetUtilizationRates",
            Gpu(0, "NVIDIA GeForce RTX 5090", 24 * GIB, 32 * GIB, None, 61),
        ),
        (
            "nvmlDeviceGetTemperature",
            Gpu(0, "NVIDIA GeForce RTX 5090", 24 * GIB, 32 * GIB, 0.87, None),
        ),
        ("nvmlDeviceGetHandleByIndex", Gpu(0, "not answering", None, None, None, None)),
    ],
)
def test_what_is_not_told_is_none_and_the_rest_is_kept(missing: str, gpu: Gpu) -> None:
    assert read_gpus(answering(missing)) == [gpu]


def test_a_driver_that_stops_to_answer_has_no_gpus() -> None:
    assert read_gpus(answering("nvmlDeviceGetCount")) == []


def test_the_library_is_loaded_without_its_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    made = answering()
    monkeypatch.setitem(sys.modules, "pynvml", made)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_nvml() is made


def test_why_there_are_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", answering("nvmlInit"))
    assert load_nvml() == "no figures: Not Supported"
    monkeypatch.setitem(sys.modules, "pynvml", None)  # an import of it fails
    assert load_nvml() == "no figures: pynvml is not installed (it comes with the CUDA build)"
