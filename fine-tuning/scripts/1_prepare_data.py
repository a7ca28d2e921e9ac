#!/usr/bin/env python3
"""Step 1: turn a folder of the author's prose into samples for training and for testing.

Reads     every format that RAG/1_ingest.py reads: one novel in one file, or a file for each chapter
Needs     ~/.venvs/finetune (found by itself; made by fine-tuning/scripts/0_create_venv.sh)
Does      strips title pages, contents, rights and licences; gives whole chapters (or books) to
          train, validation and test; cuts them only at the ends of scenes and paragraphs; fails
          where one split repeats another
Writes    OUT/train.jsonl, validation.jsonl, test.jsonl and OUT/ledger.json: what became of every
          token (tokens_in = train + validation + test + dropped)
Status    0; 2 where files were left out (each is a [WARN] line); 1 where nothing was written
Takes     a few seconds for a novel; no network, no GPU
Run       ./1_prepare_data.py --input ~/novel/chapters --format raw|instruction|chat
          ./1_prepare_data.py --check         (count and compare what was written once more)
Next      ./2_train.py --config ../configs/qlora_8b_5090.yaml --dry-run
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("finetune", "scifi_llm.finetuning.prepare")
