"""Reading serve_vllm.sh's words, and the command that a message tells to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.serving.request import ServeRequest, parse


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "config.json").write_text("{}")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "http"], "PORT is 'http'; it must be a whole number from 1 to 65535."),
        (["--port", "70000"], "PORT is '70000'"),
        (["--max-seqs", "0"], "MAX_SEQS is '0'"),
        (["--context", "12k"], "CONTEXT is '12k'"),
        (["--gpu-util", "0"], "GPU_UTIL is '0'"),
        (["--gpu-util", "1.5"], "GPU_UTIL is '1.5'"),
        (["--gpu-util", "x"], "GPU_UTIL is 'x'"),
    ],
)
def test_bad_numbers(model: str, words: list[str], message: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        parse(["--engine", "cuda", "--model", model, *words])
    assert caught.value.problem.startswith(message)
    assert caught.value.fix == "See: ./serve_vllm.sh --help"


def test_a_local_folder_is_served_under_its_own_name(model: str) -> None:
    found, options = parse(["--engine", "cpu", "--force", "--model", model, "--", "--seed", "7"])
    assert (found.typed, found.model, found.model_path) == (model, Path(model).name, model)
    assert (found.port, found.max_seqs, found.context) == (8000, 4, 8192)
    assert (found.extra, options.force) == (("--seed", "7"), True)


def test_the_command_to_type() -> None:
    request = ServeRequest("a/b", "a/b", "a/b", "cuda", 8000, 9, 64000, 0.9, extra=("--x", "a b"))
    assert request.command(context=4096) == "./serve_vllm.sh a/b 8000 9 4096 0.90 -- --x 'a b'"
    cpu = ServeRequest("~/m", "m", "/m", "cpu", 8000, 4, 8192, 0.9)
    assert cpu.command("--y") == "./serve_vllm.sh ~/m 8000 4 8192 -- --y"


@pytest.mark.parametrize(
    ("extra", "value"),
    [(("-tp", "2"), "2"), (("--tp=4",), "4"), (("--other", "2"), "1"), (("-tp",), "1"), ((), "1")],
)
def test_options_behind_the_dashes(extra: tuple[str, ...], value: str) -> None:
    request = ServeRequest("m", "m", "m", "cuda", 8000, 9, 8192, 0.9, extra=extra)
    assert request.extra_value("-tp", "--tp", default="1") == value
