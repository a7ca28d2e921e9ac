#!/usr/bin/env python3
"""Serve OpenAI's API on port 8001 with the canon of a collection put before the model.

Reads     a collection in RAG/chroma_db, made by 2_embed_and_store.py, with its recorded model
Needs     ~/.venvs/rag (found by itself) and a server that speaks OpenAI's API on port 8000
Does      searches the newest user message, puts the passages before it, relays the answer
Answers   /v1/* as the server behind it does, with rag.sources; /health, /rag/search
Takes     about 8 s to start
Run       ./serve_rag_proxy.sh scifi_world in the root, which also runs it in the background
Next      point an editor at http://localhost:8001/v1
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.proxy.server")
