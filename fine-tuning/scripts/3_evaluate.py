#!/usr/bin/env python3
"""Step 3: measure an adapter against its base: was the style learned, was the text memorised?

Reads     an adapter of 2_train.py, the data it was trained on, and another author's prose
Needs     ~/.venvs/finetune (found by itself; made by fine-tuning/scripts/0_create_venv.sh)
Does      perplexity on held-out chapters and on the other author; samples of 2,000 words before and
          after: cosine Delta to the author beside the author's own spread, slop, repetition; copied
          runs and planted secrets
Writes    ADAPTER/evaluation/report.html and report.json, with a verdict of one line
Takes     about 10 minutes with the small model on a CPU, 5 with 8B on a GPU
Run       ./3_evaluate.py --adapter ../checkpoints/qlora_8b_5090 --other ~/books/another_author
Next      ./5_serve_adapter.sh ../checkpoints/qlora_8b_5090
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("finetune", "scifi_llm.finetuning.evaluate")
