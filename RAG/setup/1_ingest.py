#!/usr/bin/env python3
"""Step 1: read the author's notes and write their sections to chunks/sections.jsonl.

Reads     Markdown (.md, .markdown) and text (.txt) below RAG/data, with YAML front matter; while
          that folder is empty, the example world of examples/
Needs     ~/.venvs/rag (found by itself; made by RAG/0_create_venv_with_deps.sh)
Does      checks each file, splits it at its headings, keeps front matter and offsets
Writes    RAG/chunks/sections.jsonl, in one step: the old file or the new one
Status    0; 2 where files were left out (each is a [WARN] line); 1 where nothing was written
Takes     under a second for a novel
Run       ./1_ingest.py            or: ./1_ingest.py --data ~/novel/notes --out /tmp/chunks
Next      ./2_embed_and_store.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.ingest")
