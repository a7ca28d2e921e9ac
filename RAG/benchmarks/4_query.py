#!/usr/bin/env python3
"""Step 4: show the passages that a question finds, without a language model.

Reads     a collection in RAG/chroma_db, made by 2_embed_and_store.py, with its recorded model
Needs     ~/.venvs/rag (found by itself; made by RAG/0_create_venv_with_deps.sh)
Does      searches exactly as the proxy does
Prints    passages with score, route and place; with --json one JSON object and nothing else
Writes    a log of each question to query_results/
Takes     about 8 s, most of it loading the model
Run       ./4_query.py "What are Elena's key traits?" --collection scifi_world --as-of 2
Next      ./serve_rag_proxy.sh scifi_world, in the root
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.query")
