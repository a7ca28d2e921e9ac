#!/usr/bin/env python3
"""Step 4: merge an adapter into its base model, for servers and formats that take no adapters.

Reads     an adapter of 2_train.py and its base model in full precision, never the 4-bit copy
Needs     ~/.venvs/finetune (found by itself; made by fine-tuning/scripts/0_create_venv.sh)
Does      refuses an adapter of another model; merges in float32; writes safetensors with tokenizer
          and chat template; loads them again and compares their predictions with adapter + base
Writes    fine-tuning/merged_models/NAME, in one step: a whole model or nothing
Takes     seconds for the small model, minutes and 32 GB of memory for 8B
Run       ./4_merge.py --adapter ../checkpoints/qlora_8b_5090
Next      ./serve_vllm.sh fine-tuning/merged_models/qlora_8b_5090
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("finetune", "scifi_llm.finetuning.merge")
