#!/usr/bin/env python3
"""Measure what a long session costs with each way of placing canon (RAG_PLACEMENT).

Reads     a collection; asks the vLLM that is running, through a proxy of its own for each placement
Needs     ~/.venvs/rag (found by itself), ./serve_vllm.sh; its state is a scratch folder
Does      holds the same conversation of 8 turns with real replies three times, turn by turn:
          stable, tail, system; records what reaches vLLM, compares each request with the last
Prints    for each turn time to first token, prompt tokens, and how many were read from the cache
Writes    test_results/session_*.json and a chart beside it (.svg)
Takes     about 6 minutes on 2 CPU cores with the bundled model
Run       ./measure_session.py --collection scifi_world --upstream http://127.0.0.1:8000/v1
Next      RAG/RAG_SETUP.md tells what the placements are for
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.bench.session")
