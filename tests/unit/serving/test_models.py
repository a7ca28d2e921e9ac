"""Where models are, and what is said where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.serving import models
from scifi_llm.serving.cpu_build import add_metadata


@pytest.fixture(autouse=True)
def empty_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("SCIFI_LLM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)


def test_the_bundled_model_names_the_script_that_converts_it(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="is not converted yet") as caught:
        models.locate("SmolLM2-135M-Instruct")
    assert caught.value.fix == "Run: vllm/setup/6_download_model.sh"
    folder = tmp_path / "cache" / "SmolLM2-135M-Instruct"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert models.locate("SmolLM2-135M-Instruct") == str(folder)


def test_a_missing_hub_model_names_the_command() -> None:
    with pytest.raises(ToolkitError) as caught:
        models.locate("Qwen/Qwen2.5-7B-Instruct")
    assert caught.value.fix == (
        "Fetch it with: MODEL=Qwen/Qwen2.5-7B-Instruct vllm/setup/6_download_model.sh"
    )
    with pytest.raises(ToolkitError, match=r"huggingface\.co cannot be reached"):
        models.prepare("Qwen/Qwen2.5-7B-Instruct")


@pytest.mark.parametrize("version", ["0.10.2", "0.32.0+cu128"])
def test_folders_and_gguf_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    info = tmp_path / "site" / f"vllm-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(ToolkitError, match="holds no model"):
        models.locate(str(tmp_path))
    with pytest.raises(ToolkitError, match="holds no model"):
        models.prepare("~/nowhere/at/all")
    gguf = tmp_path / "m.gguf"
    gguf.write_bytes(b"GGUF")
    if version == "0.10.2":  # it reads such files itself
        assert models.locate(str(gguf)) == str(gguf)
        return
    with pytest.raises(ToolkitError, match=r"reads no GGUF files; m\.gguf must be conv") as caught:
        models.locate(str(gguf))
    assert caught.value.fix == f"Run: MODEL={gguf} vllm/setup/6_download_model.sh"
    with pytest.raises(ToolkitError, match=r"m\.gguf cannot be converted"):
        models.prepare(str(gguf))
    assert not list((tmp_path / "cache").glob("*.tmp"))
    folder = models.converted(gguf)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert models.locate(str(gguf)) == str(folder)


def test_without_a_token_the_ungated_model_is_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert models.default_model("cuda") == "Qwen/Qwen2.5-7B-Instruct"
    assert "[WARN] meta-llama/Llama-3.1-8B-Instruct is gated" in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    assert models.default_model("cuda") == "meta-llama/Llama-3.1-8B-Instruct"
    assert models.default_model("cpu") == "SmolLM2-135M-Instruct"
    assert capsys.readouterr().err == ""


def test_the_cpu_build_gets_the_metadata_that_its_command_asks_for(tmp_path: Path) -> None:
    add_metadata(tmp_path, "0.31.0")
    folder = add_metadata(tmp_path, "0.32.0")
    assert [path.name for path in tmp_path.iterdir()] == ["vllm-0.32.0+cpu.dist-info"]
    assert (folder / "METADATA").read_text().splitlines() == [
        "Metadata-Version: 2.1",
        "Name: vllm",
        "Version: 0.32.0+cpu",
    ]
    assert add_metadata(tmp_path, "0.32.0") == folder
