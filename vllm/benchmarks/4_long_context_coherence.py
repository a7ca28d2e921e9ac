#!/usr/bin/env python3
"""Benchmark 4: does a long story keep its facts, and does the proxy's canon help?

Writes    a story of 21 chapters of 1,000 words with facts of the example world (or --facts) in its
          first chapter, and asks for them in other words at 2,000, 5,000, 10,000 and 20,000 words
Needs     a running server, except with --check; ~/.venvs/llm (made by vllm/setup/2_create_venv.sh)
Judges    by rules: attributes, numbers, places, relations, names, timeline; quotes the sentence
Checks    --check STORY --facts FACTS.yaml: a finished text; format of the facts: --help
Writes    vllm/benchmarks/results/coherence_MODEL_TIME.json with all texts; a run that was cut short
          goes on with the same command. Against the proxy: a story with canon and one without
Takes     --quick about 1 minute on a CPU; --check about 10 s for a novel
Run       ./4_long_context_coherence.py --base-url http://127.0.0.1:8001/v1
Next      vllm/benchmarks/5_model_comparison.sh
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("llm", "scifi_llm.benchmarks.coherence")
