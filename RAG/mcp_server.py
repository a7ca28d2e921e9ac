#!/usr/bin/env python3
"""Serve the canon over MCP (stdio), for editors and agents that speak it.

Reads     nothing: it asks the RAG proxy, which must be running (./serve_rag_proxy.sh --detach)
Needs     ~/.venvs/rag (found by itself; made by RAG/0_create_venv_with_deps.sh)
Tools     search_canon and explain, both with as_of, pov and collection
Run       by the editor: command `/path/to/RAG/mcp_server.py`, or ./setup_continue.sh --mcp
Asks      http://127.0.0.1:8001, or --url URL; RAG_API_KEY where the proxy has one
Takes     about 2 s to start
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.mcp_server")
