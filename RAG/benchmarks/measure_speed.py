#!/usr/bin/env python3
"""Measure how fast ingest, embedding, updates and search are on this machine.

Reads     a folder of texts (--data), which is copied to a scratch folder; collections stay as
          they are
Needs     ~/.venvs/rag (found by itself; made by RAG/0_create_venv_with_deps.sh)
Does      encodes the same chunks by torch fp32 and by each faster backend, runs 1_ingest.py and
          2_embed_and_store.py as whole commands (first run, unchanged, one paragraph edited),
          searches 10,000 and 100,000 chunks made from the texts, with and without --as-of
Prints    one JSON object: ratios, seconds, p50 and p95, peak memory, CPU, commit, versions
Takes     about 3 minutes for eight novels
Run       ./measure_speed.py --data ~/novel/notes --json speed.json
Next      RAG/README.md, for what the numbers mean
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.speed")
