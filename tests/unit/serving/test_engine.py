"""The command line of vLLM for each engine, version and profile."""

from __future__ import annotations

import json

import pytest

from scifi_llm.serving.engine import build_command, yarn_arguments
from scifi_llm.serving.profiles import Profile, profiles
from scifi_llm.serving.request import ServeRequest

COMMON = ["--enable-auto-tool-choice", "--tool-call-parser"]
CACHE = ["--enable-prefix-caching", "--enable-prompt-tokens-details"]
QWEN = "Qwen/Qwen2.5-7B-Instruct"


def request(engine: str, path: str = "some/model", context: int = 32768) -> ServeRequest:
    return ServeRequest(
        path, "small", path, engine, 8000, 9, context, 0.9, lora=("--lora",), extra=("--seed", "7")
    )


def test_cpu() -> None:
    command = build_command(request("cpu", "/models/small"), Profile(), "0.32.0", cores=8)
    assert command.argv == [
        *["vllm", "serve", "/models/small", "--served-model-name", "small"],
        *["--host", "127.0.0.1", "--port", "8000", "--max-num-seqs", "9"],
        *["--max-model-len", "32768", *COMMON, "hermes", *CACHE],
        *["--dtype", "float32", "--enforce-eager", "--no-enable-chunked-prefill"],
        *["--max-num-batched-tokens", "32768", "--lora", "--seed", "7"],
    ]
    assert command.env == {
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",
    }


@pytest.mark.parametrize(("context", "tokens"), [(512, "2048"), (8192, "8192")])
def test_no_prompt_is_read_in_pieces_on_a_cpu(context: int, tokens: str) -> None:
    argv = build_command(request("cpu", context=context), Profile(), "0.32.0").argv
    assert argv[argv.index("--max-num-batched-tokens") + 1] == tokens
    assert "--no-enable-chunked-prefill" in argv
    assert (
        "--no-enable-chunked-prefill"
        not in build_command(request("cuda"), Profile(), "0.32.0").argv
    )


def test_a_small_cpu_computes_on_every_core(monkeypatch: pytest.MonkeyPatch) -> None:
    def reserved(cores: int) -> str | None:
        command = build_command(request("cpu"), Profile(), "0.32.0", cores=cores)
        return command.env.get("VLLM_CPU_NUM_OF_RESERVED_CPU")

    assert [reserved(cores) for cores in (1, 2, 4, 5, 16)] == ["0", "0", "0", None, None]
    monkeypatch.setenv("VLLM_CPU_NUM_OF_RESERVED_CPU", "1")  # the author's own choice stays
    assert reserved(2) is None


@pytest.mark.parametrize(
    ("version", "flag", "variable"),
    [("0.10.2", False, True), ("0.11.0", True, False), ("0.32.0+cu128", True, False)],
)
def test_the_attention_backend_by_version(version: str, flag: bool, variable: bool) -> None:
    command = build_command(request("cuda"), Profile(tool_parser="llama3_json"), version)
    assert ("--attention-backend FLASHINFER" in " ".join(command.argv)) is flag
    assert (command.env.get("VLLM_ATTENTION_BACKEND") == "FLASHINFER") is variable
    assert "--gpu-memory-utilization 0.90" in " ".join(command.argv)
    assert "--tool-call-parser llama3_json" in " ".join(command.argv)
    assert "HF_HUB_OFFLINE" not in command.env


def test_yarn_only_where_the_context_is_longer_than_trained() -> None:
    qwen = profiles()[QWEN]
    assert yarn_arguments(request("cuda", QWEN, 32768), qwen, "0.10.2") == []
    option, value = yarn_arguments(request("cuda", QWEN, 49152), qwen, "0.10.2")
    assert (option, json.loads(value)) == (
        "--rope-scaling",
        {"rope_type": "yarn", "factor": 1.5, "original_max_position_embeddings": 32768},
    )
    option, value = yarn_arguments(request("cuda", QWEN, 131072), qwen, "0.32.0")
    found = json.loads(value)
    assert option == "--hf-overrides"
    assert found["max_position_embeddings"] == 131072
    assert (found["rope_parameters"]["factor"], found["rope_parameters"]["rope_theta"]) == (4, 1e6)
    llama = profiles()["meta-llama/Llama-3.1-8B-Instruct"]
    assert yarn_arguments(request("cuda", "llama", 131072), llama, "0.32.0") == []
