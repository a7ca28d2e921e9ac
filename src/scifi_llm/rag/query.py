"""Step 4: ask a collection and look at what it finds, without a language model."""

from __future__ import annotations

import json
import textwrap
from datetime import datetime
from pathlib import Path

from ..console import Parser, keep_stdout_for_data, log_ok, log_warn
from ..errors import ToolkitError
from ..paths import chroma_dir, query_results_dir
from .index import choose_collection
from .passages import Passage, SearchRequest
from .retrieval import Retriever


def write_log(folder: Path, answer: dict[str, object]) -> Path:
    """Keep an answer as a timestamped JSON file and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"query_{datetime.now():%Y%m%d_%H%M%S_%f}.json"
    file.write_text(json.dumps(answer, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def show(passages: list[Passage]) -> None:
    """Print passages for reading: score, route and place, then the start of the text."""
    for place, passage in enumerate(passages, start=1):
        text = textwrap.shorten(passage.chunk.text, width=300, placeholder=" …")
        print(f"{place:2}. {passage.score:.3f}  {passage.why:12}  {passage.chunk.note.path}")
        print(f"    {passage.chunk.context}")
        print(textwrap.indent(textwrap.fill(text, width=96), "    ") + "\n")


def main() -> int:
    """Entry of RAG/4_query.py."""
    parser = Parser(
        prog="4_query.py",
        description="Show the passages that a question finds in a collection.",
        epilog='example: ./4_query.py "What are Elena\'s key traits?" --as-of 2',
    )
    parser.add_argument("question", metavar="QUESTION")
    parser.add_argument("--collection", metavar="NAME", help="default: the one written last")
    parser.add_argument("--as-of", type=int, metavar="CHAPTER", help="hide what is told later")
    parser.add_argument("--pov", metavar="NAME", help="show only what this person knows")
    parser.add_argument("--top-k", type=int, metavar="N", help="passages to show (8)")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    options = parser.parse_args()
    if options.json:
        keep_stdout_for_data()
    if options.top_k is not None and options.top_k < 1:
        raise ToolkitError(f"--top-k is {options.top_k}; it must be 1 or more.")
    if not options.question.strip():
        raise ToolkitError("The question is empty.", 'Ask one: ./4_query.py "Who is Elena?"')
    root = chroma_dir()
    retriever = Retriever(root, choose_collection(options.collection, root))
    request = SearchRequest(
        options.question, as_of=options.as_of, pov=options.pov, top_k=options.top_k
    )
    passages = retriever.search(request).passages
    answer = {"query": options.question, "results": [p.result() for p in passages]}
    if options.json:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        show(passages)
    if not passages:
        log_warn("Nothing found under these rules.")
    log_ok(f"Kept in {write_log(query_results_dir(), answer)}")
    return 0
