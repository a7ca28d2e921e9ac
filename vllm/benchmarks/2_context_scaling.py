#!/usr/bin/env python3
"""Benchmark 2: time to the first token and tokens per second by length of the prompt.

Sends     prompts of 1k, 4k, 16k, 32k, 48k and 60k tokens, as far as the server's window allows,
          each twice: cold, then with its prefix in the cache
Needs     a running server; ~/.venvs/llm (found by itself; made by vllm/setup/2_create_venv.sh)
Prints    a table: TTFT and tokens/s, cold and cached, means with bootstrap intervals in the file
Writes    vllm/benchmarks/results/scaling_MODEL_TIME.json; a run that was cut short goes on with the
          same command
Takes     about 3 minutes on a GPU; --quick about 1 minute on a CPU
Run       ./2_context_scaling.py --base-url http://127.0.0.1:8000/v1
Next      vllm/benchmarks/3_creative_quality.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("llm", "scifi_llm.benchmarks.scaling")
