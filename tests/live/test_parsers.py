"""Every flag that serve_vllm.sh emits, against the parsers of the two supported versions.

The CPU build's parser is asked itself; that of 0.10.2 is read from its published wheel.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scifi_llm.paths import model_cache, venvs_dir
from scifi_llm.serving.engine import build_command
from scifi_llm.serving.profiles import profiles
from scifi_llm.serving.request import ServeRequest

REPO = Path(__file__).resolve().parents[2]
LLM = venvs_dir() / "llm" / "bin" / "python"
LORA = ("--enable-lora", "--lora-modules", "style=/tmp/style", "--max-lora-rank", "16")
EXTRA = ("--tensor-parallel-size", "2", "--pipeline-parallel-size", "2",
         "--distributed-executor-backend", "ray", "--kv-cache-dtype", "fp8")  # fmt: skip
PARSE = """
import json, sys
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
for argv in json.load(sys.stdin):
    options = make_arg_parser(FlexibleArgumentParser()).parse_args(argv)
    print("parsed", options.model_tag, options.max_model_len)
"""
STRETCH = """
import json, sys
from vllm.engine.arg_utils import EngineArgs
config = EngineArgs(**json.load(sys.stdin)).create_model_config()
print("length", config.max_model_len)
"""


def commands(version: str) -> list[list[str]]:
    """argv of every profile on both engines, at its trained length and beyond."""
    found = []
    for model, profile in profiles().items():
        for engine in ("cpu", "cuda"):
            for context in {profile.context, profile.yarn or profile.context}:
                request = ServeRequest(
                    model, model, model, engine, 8000, 9, context, 0.9, "127.0.0.1", LORA, EXTRA
                )
                found.append(build_command(request, profile, version).argv[2:])
    return found


def ask_vllm(code: str, question: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LLM, "-P", "-c", code],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "HOME": str(Path.home())},
    )


def test_the_cpu_builds_parser_takes_every_command() -> None:
    asked = commands("0.32.0")
    done = ask_vllm(PARSE, asked)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("parsed ") == len(asked)


def test_the_cpu_build_reaches_the_stretched_length_only_with_our_override(tmp_path: Path) -> None:
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 49152,
        "max_position_embeddings": 32768,
        "rope_theta": 1000000.0,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    for file in (model_cache() / "SmolLM2-135M-Instruct").glob("tokenizer*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    base = {"model": str(tmp_path), "max_model_len": 65536, "dtype": "float32"}
    refused = ask_vllm(STRETCH, base)
    assert refused.returncode != 0
    assert "greater than the derived max_model_len" in refused.stderr
    model = "Qwen/Qwen2.5-7B-Instruct"
    request = ServeRequest(model, model, model, "cuda", 8000, 9, 65536, 0.9)
    argv = build_command(request, profiles()[model], "0.32.0").argv
    override = json.loads(argv[argv.index("--hf-overrides") + 1])
    reached = ask_vllm(STRETCH, {**base, "hf_overrides": override})
    assert "length 65536" in reached.stdout, reached.stderr[-2000:]


@pytest.fixture(scope="module")
def wheel() -> Path:
    """vLLM 0.10.2 as published (436 MB), kept in the toolkit's cache."""
    folder = model_cache() / "wheels"
    words = ["--no-deps", "--only-binary=:all:", "--python-version", "3.12"]
    words += ["--platform", "manylinux1_x86_64", "--dest", str(folder), "vllm==0.10.2"]
    pip = venvs_dir() / "rag" / "bin" / "python"
    if not list(folder.glob("vllm-0.10.2-*.whl")):
        done = subprocess.run(
            [pip, "-m", "pip", "download", "--quiet", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            pytest.skip(f"the wheel of vLLM 0.10.2 cannot be had: {done.stderr[-300:]}")
    (found,) = folder.glob("vllm-0.10.2-*.whl")
    return found


def test_the_wheel_of_0_10_2_knows_every_flag_and_variable(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = ("engine/arg_utils.py", "entrypoints/openai/cli_args.py", "envs.py")
        source = {name: archive.read(f"vllm/{name}").decode() for name in names}
        parsers = archive.read("vllm/entrypoints/openai/tool_parsers/__init__.py").decode()
        modules = [name for name in archive.namelist() if "tool_parsers/" in name]
        registered = parsers + "".join(archive.read(name).decode() for name in modules)
    known = source["engine/arg_utils.py"] + source["entrypoints/openai/cli_args.py"]
    for argv in commands("0.10.2"):
        for flag in [word for word in argv if word.startswith("--")]:
            flag = flag.replace("--no-enable-", "--enable-")  # argparse makes the pair of one
            # Fields of the frontend's dataclass become flags by their name.
            field = flag[2:].replace("-", "_")
            pattern = rf'"{flag}"|^    {field}:'
            assert re.search(pattern, known, re.M), f"vLLM 0.10.2 has no {flag}"
    for variable in ("VLLM_ATTENTION_BACKEND", "VLLM_NO_USAGE_STATS", "VLLM_CPU_KVCACHE_SPACE"):
        assert f'"{variable}"' in source["envs.py"]
    for name in {profile.tool_parser for profile in profiles().values()}:
        assert f'"{name}"' in registered
    # What came later must not be used there.
    assert '"--attention-backend"' not in known
    assert not any("--attention-backend" in argv for argv in commands("0.10.2"))


def test_the_documented_requirements_resolve_for_python_3_12(tmp_path: Path) -> None:
    platforms = [f"manylinux_2_{n}_x86_64" for n in (39, 35, 34, 31, 28, 27, 24, 17)]
    platforms += ["manylinux2014_x86_64", "manylinux1_x86_64"]
    words = ["install", "--quiet", "--dry-run", "--no-deps", "--only-binary=:all:"]
    words += ["--python-version", "3.12", "--target", str(tmp_path)]
    words += [word for platform in platforms for word in ("--platform", platform)]
    # flashinfer-python 0.3.0 was published as source only: it compiles its kernels at first use.
    source_only = "flashinfer-python==0.3.0"
    pins = (REPO / "requirements" / "llm-cuda-documented.txt").read_text("utf-8").splitlines()
    assert source_only in pins
    rest = tmp_path / "rest.txt"
    rest.write_text("\n".join(pin for pin in pins if pin != source_only))
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "index", "versions", "flashinfer-python"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert " 0.3.0," in listed.stdout
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, "-r", str(rest)],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
