"""From serve_vllm.sh's words to the command that it runs.

`python -m scifi_llm.serving.serve --plan FILE …` writes the words to FILE, each ended by a NUL
byte: `NAME=VALUE` of the environment, `--`, then the command.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ..console import run_main
from .advice import advise
from .engine import build_command
from .profiles import profile_of
from .request import parse
from .versions import installed_vllm


def gpu_gib() -> float:
    """Memory of the smallest card, in GiB; 0 where nvidia-smi does not tell."""
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=30)
        return min(float(line) for line in answer.stdout.split()) / 1024
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0.0


def main() -> int:
    """Entry of `python -m scifi_llm.serving.serve`."""
    request, options = parse(sys.argv[1:])
    profile = profile_of(request.model, request.model_path)
    version = installed_vllm()
    advise(request, profile, version, gpu_gib() if request.engine == "cuda" else 0.0, options.force)
    vllm = str(Path(sys.executable).parent / "vllm")
    command = build_command(request, profile, version, vllm)
    words = [f"{key}={value}" for key, value in command.env.items()] + ["--", *command.argv]
    options.plan.write_text("".join(f"{word}\0" for word in words), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
