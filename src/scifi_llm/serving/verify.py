"""A tiny generation without a server, to show that the installed vLLM works.

`python -m scifi_llm.serving.verify MODEL cpu|cuda` prints the text that MODEL adds to a sentence.
"""

from __future__ import annotations

import contextlib
import os
import sys

from ..console import log_ok, run_main
from ..errors import ToolkitError
from .engine import BACKEND, BACKEND_IS_A_FLAG, attention_backend
from .models import locate
from .versions import installed_vllm, release

PROMPT = "The ship left the harbour at"
TOKENS = 8


def generate(model: str, engine: str) -> str:
    """The text that follows PROMPT, TOKENS tokens long."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from vllm import LLM, SamplingParams

    if engine == "cuda" and release(installed_vllm()) < BACKEND_IS_A_FLAG:
        os.environ.setdefault(BACKEND, attention_backend())
    kind = {"dtype": "float32"} if engine == "cpu" else {}
    llm = LLM(locate(model), max_model_len=512, max_num_seqs=9, enforce_eager=True, **kind)
    sampling = SamplingParams(max_tokens=TOKENS, temperature=0.0)
    answer = llm.generate([PROMPT], sampling, use_tqdm=False)
    return str(answer[0].outputs[0].text)


def main() -> int:
    """Entry of `python -m scifi_llm.serving.verify`."""
    if len(sys.argv) != 3:
        raise ToolkitError("Usage: python -m scifi_llm.serving.verify MODEL cpu|cuda")
    # vLLM and its progress bars write to stdout, too.
    with contextlib.redirect_stdout(sys.stderr):
        text = generate(sys.argv[1], sys.argv[2])
    if not text.strip():
        raise ToolkitError("vLLM generated no text.", "Try another model: MODEL=NAME")
    log_ok(f"vLLM generates: {PROMPT}{text}".replace("\n", " "))
    return 0


if __name__ == "__main__":  # vLLM starts its engine in a process that imports this module again
    sys.exit(run_main(main))
