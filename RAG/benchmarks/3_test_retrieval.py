#!/usr/bin/env python3
"""Step 3: measure how well a collection is searched, by the code and settings of the proxy.

Reads     the collection written last, or with --dataset a folder of a judged set:
            documents.jsonl  id, title, text, optional group
            queries.jsonl    id, query, optional history (chat messages before it), group (only
                             documents of that group are ranked), exclude_doc_id
            qrels.jsonl      query_id, doc_id, relevance, optional start and end (offsets of the
                             evidence in the document's text)
          your own questions to your own collection: RAG/data/questions.jsonl, one a line:
            {"query": "Who is Elena?", "gold": ["characters/elena.md"]}
            optional id, kind, history, as_of, pov, forbidden (paths that must not be found)
Needs     ~/.venvs/rag (found by itself; made by RAG/0_create_venv_with_deps.sh)
Does      asks every question three times: as served, by BM25 alone, by vectors alone
Prints    measures with 95 % intervals, search times, what changed since the last run
Writes    test_results/: a JSON file and a plot (SVG) for each run
Takes     about 20 s for 120 questions; a judged set is indexed first (about 100 chunks a second)
Run       ./3_test_retrieval.py --json out.json
Next      ./4_query.py "QUESTION"
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.trial")
