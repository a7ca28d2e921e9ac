#!/usr/bin/env python3
"""Try the proxy for two minutes with everything going wrong at once, and check each answer.

Reads     a collection in RAG/chroma_db, made by 2_embed_and_store.py, and builds it anew meanwhile
Needs     ~/.venvs/rag (found by itself)
Does      200 clients ask a proxy on a free port, one in four leaves early, a mock upstream is
          killed and started again or tears events, the index is swapped; each answer must be its
          request's own, whole, or an error in OpenAI's form; then nothing may be left open. The
          same load runs before, so that what grows is a leak and no cache
Prints    how the answers ended; fails on a wrong answer, a leak or a traceback
Writes    test_results/proxy_soak.json: machine, commit, versions, counts
Takes     150 seconds
Run       ./soak_proxy.py --streams 50 --seconds 10 is the short form
Next      ./measure_proxy.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.bench.soak")
