#!/usr/bin/env python3
"""Step 2: train an adapter (LoRA or QLoRA) on prepared data.

Reads     fine-tuning/configs/*.yaml (the variant) and what 1_prepare_data.py wrote
Needs     ~/.venvs/finetune (found by itself; made by fine-tuning/scripts/0_create_venv.sh)
Does      checks the variant; forecasts memory, steps and hours (--dry-run ends there); trains with
          packing that loses no text and mixes no two; evaluates and stops early
Writes    OUT/ (fine-tuning/checkpoints/CONFIG): the adapter, checkpoint-N/, log.jsonl,
          samples.jsonl, run.json, TensorBoard's event files in runs/
Status    0; 130 after Ctrl+C, with a checkpoint: the same command with --resume goes on exactly
Takes     smoke_cpu: minutes on a CPU; 8B on an RTX 5090: about an hour for three novels
Run       ./2_train.py --config qlora_8b_5090 --dry-run
          ./2_train.py --config smoke_cpu --data ../data/processed --out /tmp/voice --max-steps 60
Next      ./3_evaluate.py --adapter ../checkpoints/qlora_8b_5090
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("finetune", "scifi_llm.finetuning.train")
