#!/usr/bin/env python3
"""Measure what the proxy costs: requests per second and added milliseconds over a mock upstream.

Reads     a collection in RAG/chroma_db, made by 2_embed_and_store.py
Needs     ~/.venvs/rag (found by itself), two cores, nothing else running
Does      starts a mock upstream and the proxy on free ports, asks with 1 and 9 clients, whole
          answers and streams of 32 chunks, without and with retrieval; then 20,000 requests
          for memory; with --peer litellm the same of LiteLLM's proxy, installed when missing
Prints    a table, ratios, what misses its target
Writes    test_results/proxy_overhead.json: machine, commit, versions, all numbers
Takes     3 minutes, with --peer litellm 5 and its installation
Run       ./measure_proxy.py --peer litellm
Next      ./soak_proxy.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.bench.overhead")
