#!/usr/bin/env python3
"""Benchmark: tokens/s and peak memory of 2_train.py beside the plainest TRL loop.

Reads     a variant and what 1_prepare_data.py wrote
Needs     ~/.venvs/finetune (found by itself; made by fine-tuning/scripts/0_create_venv.sh)
Does      runs both with the same settings, in processes of their own, in changing order; the first
          two steps are not timed; compares pair by pair: median, lowest and highest
Writes    fine-tuning/benchmarks/results/training_speed_CONFIG.json
Takes     about 10 minutes with smoke_cpu on 2 cores
Run       ./1_training_speed.py --config smoke_cpu --data ../data/processed
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("finetune", "scifi_llm.finetuning.bench")
