#!/usr/bin/env python3
"""Step 2: embed the sections of chunks/ and publish them as a Chroma collection.

Reads     RAG/chunks/sections.jsonl, written by 1_ingest.py
Needs     ~/.venvs/rag (found by itself; made by RAG/0_create_venv_with_deps.sh)
Does      packs sections to the model's token limit, embeds what is new, publishes a new version
Writes    RAG/chroma_db/NAME/; readers and a killed run see the old version or the new one
Models    fast      all-MiniLM-L6-v2, comes with the environment, works offline
          balanced  BAAI/bge-small-en-v1.5, 130 MB from the hub (default)
          quality   Alibaba-NLP/gte-modernbert-base, 300 MB from the hub
Runs on   OpenVINO in bfloat16 where the CPU has it, else ONNX Runtime in int8, else torch; the
          model is prepared for it once (20 s)
Server    CHROMA_URL=http://host:port writes to that Chroma server, as NAME-vN
Takes     about 10 s for the example world, 30 s for eight novels; unchanged notes are not embedded
          again, and after Ctrl+C or a kill the next run goes on where this one ended
Run       ./2_embed_and_store.py --model balanced --collection scifi_world
Next      ./4_query.py "What are Elena's key traits?"
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.index")
