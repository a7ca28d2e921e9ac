#!/usr/bin/env python3
"""Step 11: a tool call and back, as an editor's agent mode needs it.

Asks      with a tool that the model may call, then with the call forced; then sends the result back
Needs     a running server; ~/.venvs/llm (found by itself; made by vllm/setup/2_create_venv.sh)
Does      checks the call's form and its arguments against the tool's schema
Prints    a line for each part; [WARN] where the model is too small to call by itself
Exits     0 where the server is right, 1 where it refuses tools or breaks their form
Keys      OPENAI_API_KEY or RAG_API_KEY, where the server wants one
Takes     about 10 s on a CPU
Run       ./11_tool_call_test.py --base-url http://127.0.0.1:8001/v1
Next      vllm/health_checks/12_metrics_check.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("llm", "scifi_llm.serving.health.tool_call")
