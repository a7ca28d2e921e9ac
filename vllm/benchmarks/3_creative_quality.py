#!/usr/bin/env python3
"""Benchmark 3: prose of a model, or of finished files, scored by its distance from human fiction.

Asks      five writing tests in a tone: creative, technical (default), dramatic, poetic, gritty
Needs     a running server, except with --score; ~/.venvs/llm (made by vllm/setup/2_create_venv.sh)
Scores    overall = 25 % vocabulary + 25 % structure + 50 % creativity, 0 to 100: every measure is
          compared with the range of human pages of the same length; more is not better
Reads     --score FILE… plain text or Markdown of 100 words and more, up to 3 MB
Writes    vllm/benchmarks/results/creative_MODEL_TIME.json with the raw texts; a run that was cut
          short goes on with the same command
Exits     0; 2 where some files of --score could not be scored, 1 where none
Takes     --quick about 1 minute on a CPU; --score under 2 s a novel
Run       ./3_creative_quality.py gritty    or    ./3_creative_quality.py --score chapter-01.md
Next      vllm/benchmarks/4_long_context_coherence.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("llm", "scifi_llm.benchmarks.creative")
