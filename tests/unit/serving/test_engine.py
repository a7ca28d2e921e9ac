"""The command line of vLLM for each engine, version and profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.serving.engine import ServeRequest, build_command, parse, profiles

COMMON = ["--enable-auto-tool-choice", "--tool-call-parser"]
CACHE = ["--enable-prefix-caching", "--enable-prompt-tokens-details"]


def request(engine: str, model: str = "some/model", path: str = "some/model") -> ServeRequest:
    return ServeRequest(model, path, engine, 8000, 9, 32768, 0.9, extra=("--seed", "7"))


def test_cpu() -> None:
    command = build_command(request("cpu", "small", "/models/small"), {}, "0.32.0")
    assert command.argv == [
        *["vllm", "serve", "/models/small", "--served-model-name", "small"],
        *["--host", "127.0.0.1", "--port", "8000", "--max-num-seqs", "9"],
        *["--max-model-len", "32768", *COMMON, "hermes", *CACHE],
        *["--dtype", "float32", "--enforce-eager", "--seed", "7"],
    ]
    assert command.env == {
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "2",
    }


@pytest.mark.parametrize(
    ("version", "flag", "variable"),
    [("0.10.2", False, True), ("0.11.0", True, False), ("0.32.0+cu128", True, False)],
)
def test_the_attention_backend_by_version(version: str, flag: bool, variable: bool) -> None:
    command = build_command(request("cuda"), {"tool_parser": "llama3_json"}, version)
    assert ("--attention-backend FLASHINFER" in " ".join(command.argv)) is flag
    assert (command.env.get("VLLM_ATTENTION_BACKEND") == "FLASHINFER") is variable
    assert "--gpu-memory-utilization 0.90" in " ".join(command.argv)
    assert "--tool-call-parser llama3_json" in " ".join(command.argv)
    assert "HF_HUB_OFFLINE" not in command.env


def test_profiles_hold_the_documented_models() -> None:
    found = profiles()
    assert list(found)[:4] == [
        "meta-llama/Llama-3.1-8B-Instruct",
        "Qwen/Qwen2.5-7B-Instruct",
        "Qwen/Qwen2.5-14B-Instruct",
        "casperhansen/qwen2.5-14b-instruct-awq",
    ]
    # 2 × 32 layers × 8 KV heads × 128 × 2 bytes: 128 KiB a token
    assert found["meta-llama/Llama-3.1-8B-Instruct"]["kv_bytes"] == 2 * 32 * 8 * 128 * 2
    assert all(profile["context"] >= 8192 for profile in found.values())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "http"], "PORT is 'http'; it must be a whole number from 1 to 65535."),
        (["--port", "70000"], "PORT is '70000'"),
        (["--max-seqs", "0"], "MAX_SEQS is '0'"),
        (["--context", "12k"], "CONTEXT is '12k'"),
    ],
)
def test_bad_numbers(tmp_path: Path, words: list[str], message: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ToolkitError) as caught:
        parse(["--engine", "cpu", "--model", str(tmp_path), *words])
    assert caught.value.problem.startswith(message)


@pytest.mark.parametrize("share", ["0", "1.5", "x"])
def test_bad_share(tmp_path: Path, share: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ToolkitError, match="GPU_UTIL is"):
        parse(["--engine", "cuda", "--model", str(tmp_path), "--gpu-util", share])


def test_a_local_folder_is_served_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    found = parse(["--engine", "cpu", "--model", str(tmp_path), "--", "--seed", "7"])
    assert (found.model, found.model_path) == (tmp_path.name, str(tmp_path))
    assert (found.max_seqs, found.context, found.extra) == (4, 8192, ("--seed", "7"))
