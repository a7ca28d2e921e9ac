"""The requirement sets: pinned, complete, and free of this or any machine's own sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "requirements"
LOCKS = sorted(FOLDER.glob("*.txt"))


def pins(name: str) -> dict[str, str]:
    lines = (FOLDER / name).read_text("utf-8").splitlines()
    found = (re.match(r"([A-Za-z0-9_.-]+)==([^ ;]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_line_is_an_exact_pin(lock: Path) -> None:
    for line in lock.read_text("utf-8").splitlines():
        assert re.match(r"[a-zA-Z0-9_.-]+(\[[a-z,]+\])?==[^ ]+( ; .*)?$", line), line


@pytest.mark.parametrize("source", sorted(FOLDER.glob("*.in")), ids=lambda path: path.name)
def test_every_request_is_in_its_lock(source: Path) -> None:
    found = pins(source.with_suffix(".txt").name)
    for line in source.read_text("utf-8").splitlines():
        wanted = line.split("#")[0].strip()
        if not wanted or wanted.startswith("-"):
            continue
        name, _, version = wanted.partition("==")
        assert name in found, f"run requirements/lock.sh {source.stem}"
        assert not version or found[name] == version


def test_the_documented_stack() -> None:
    stack = pins("llm-cuda-documented.txt")
    assert {k: stack[k] for k in ("torch", "vllm", "flashinfer-python", "transformers")} == {
        "torch": "2.8.0",
        "vllm": "0.10.2",
        "flashinfer-python": "0.3.0",
        "transformers": "4.56.2",  # vLLM 0.10.2 breaks with 5
    }


@pytest.mark.parametrize("name", ["rag.txt", "llm-cpu.txt", "finetune-cpu.txt"])
def test_cpu_sets_hold_no_cuda_packages(name: str) -> None:
    found = pins(name)
    assert found["torch"] == "2.13.0+cpu"
    assert not {"torchvision", "torchaudio", "torchcodec"} & set(found)
    assert not [package for package in found if package.startswith("nvidia-")]


def test_tests_run_on_the_packages_of_the_author() -> None:
    rag, dev = pins("rag.txt"), pins("dev.txt")
    assert {k: v for k, v in dev.items() if k in rag and rag[k] != v} == {}


def test_fine_tuning_is_the_same_on_both_engines() -> None:
    gpu, cpu = pins("finetune.txt"), pins("finetune-cpu.txt")
    assert gpu["torch"] == "2.10.0"  # documented
    for package in ("transformers", "trl", "peft", "bitsandbytes", "accelerate", "datasets"):
        assert gpu[package] == cpu[package]
    readers = pins("rag.txt")
    for package in ("pypandoc-binary", "pypdf"):  # fine-tuning reads what RAG reads
        assert gpu.get(package) == cpu.get(package) == readers.get(package) is not None
