#!/usr/bin/env python3
"""Step 1: read the author's notes and write their sections to chunks/sections.jsonl.

Reads     below RAG/data; while that folder is empty, the example world of examples/:
            Markdown and text (.md .markdown .txt) with YAML front matter, Obsidian's links
            Word, LibreOffice, e-books, web pages (.docx .odt .epub .html .htm), RTF (.rtf)
            PDF with a text layer (.pdf)
            Scrivener 2 and 3 projects (.scriv): draft, research, synopses; not the trash
            lorebooks of SillyTavern and NovelAI, character cards (.json .lorebook)
          Not read: hidden files, files over 50 MB, links out of the folder, links to folders
Needs     ~/.venvs/rag (found by itself; made by RAG/0_create_venv_with_deps.sh)
Does      checks each file, leaves out comments (%%…%%, <!--…-->), splits it at its headings,
          numbers chapters, keeps front matter and offsets
Writes    RAG/chunks/sections.jsonl, in one step: the old file or the new one
Status    0; 2 where files were left out (each is a [WARN] line); 1 where nothing was written
Takes     under a second for ten novels in Markdown; 1 s for one in docx
Run       ./1_ingest.py            or: ./1_ingest.py --data ~/novel/notes --out /tmp/chunks
Next      ./2_embed_and_store.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "src"))
from scifi_llm.environment import launch

if __name__ == "__main__":
    launch("rag", "scifi_llm.rag.ingest")
