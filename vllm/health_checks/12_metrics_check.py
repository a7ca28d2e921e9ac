#!/usr/bin/env python3
"""Step 12: check that vLLM's counters move by exactly what its answers report.

Reads     /metrics of vLLM; behind the proxy its address comes from the proxy's /health
Needs     a running server; ~/.venvs/llm (found by itself; made by vllm/setup/2_create_venv.sh)
Does      sends a few requests and compares request_success, prompt_tokens, generation_tokens
Prints    a line for each counter; [WARN] and up to 3 tries where others use vLLM meanwhile
Exits     0 where all agree, 1 otherwise
Keys      OPENAI_API_KEY or RAG_API_KEY, where the server wants one
Takes     about 3 s on a CPU
Run       ./12_metrics_check.py --requests 5 --base-url http://127.0.0.1:8001/v1
Next      vllm/health_checks/13_sanity_snapshot.sh
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("llm", "scifi_llm.serving.health.metrics_check")
