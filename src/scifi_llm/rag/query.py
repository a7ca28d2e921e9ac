"""Step 4: ask a collection and look at what it finds, without a language model."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import textwrap
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ..console import Parser, keep_stdout_for_data, log_ok, log_warn
from ..errors import ToolkitError
from ..paths import chroma_dir, query_results_dir
from . import store
from .index import choose_collection
from .passages import Found, Passage, SearchRequest
from .retrieval import Retriever

SHOWN = 8  # passages in the table, unless --top-k says otherwise


def write_log(folder: Path, answer: dict[str, object]) -> Path:
    """Keep an answer as a timestamped JSON file and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"query_{datetime.now():%Y%m%d_%H%M%S_%f}.json"
    file.write_text(json.dumps(answer, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def table(passages: list[Passage], width: int) -> str:
    """Passages for reading: a line with score, route and source, then place and start of text."""
    routes = max((len(passage.why) for passage in passages), default=0)
    lines = [f"    score  {'found by':{routes}}  source"]
    for place, passage in enumerate(passages, start=1):
        path = passage.chunk.note.path
        lines.append(f"{place:2}. {passage.score:.3f}  {passage.why:{routes}}  {path}")
        lines.append(f"    {passage.chunk.context}")
        text = textwrap.shorten(passage.text, width=300, placeholder=" …")
        lines.append(textwrap.indent(textwrap.fill(text, width=max(width - 8, 40)), "      "))
        lines.append("")
    return "\n".join(lines)


def collections(named: str | None, root: Path) -> tuple[str, ...]:
    """The collections that are searched: those named, by commas, else the one written last."""
    if named is None:
        return (choose_collection(None, root),)
    found = tuple(name.strip() for name in named.split(",") if name.strip())
    for name in found:
        store.require(root, name)
    return found or (choose_collection(None, root),)


def tell(request: SearchRequest, found: Found, as_json: bool) -> None:
    """Print an answer and keep it."""
    answer: dict[str, object] = {
        "query": request.query,
        "results": [passage.result() for passage in found.passages],
    }
    if as_json:
        print(json.dumps(answer, ensure_ascii=False, indent=2))
    elif found.passages:
        shown = found.passages[: request.top_k or SHOWN]
        print(table(shown, min(shutil.get_terminal_size().columns, 110)))
        if len(shown) < len(found.passages):
            print(f"{len(found.passages) - len(shown)} more: --top-k {len(found.passages)}\n")
    if not found.passages:
        log_warn("Nothing found under these rules.")
    rules = {"as_of": request.as_of, "pov": request.pov, "collections": request.collections}
    turns = [text for _, text in request.history]
    log_ok(f"Kept in {write_log(query_results_dir(), {**answer, **rules, 'earlier': turns})}")


def chat(retriever: Retriever, request: SearchRequest, as_json: bool) -> None:
    """Answer the question, then read follow-ups that lean on it, until the input ends."""
    while True:
        if request.query.strip():
            tell(request, retriever.search(request), as_json)
            history = (*request.history, ("user", request.query))
            request = replace(request, history=history)
        print("Follow-up (empty line to end): ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line.strip():
            print(file=sys.stderr)
            return
        request = replace(request, query=line.strip())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(
        prog="4_query.py",
        description="Show the passages that a question finds in a collection.",
        epilog='example: ./4_query.py "What are Elena\'s key traits?" --as-of 2',
    )
    made.add_argument("question", metavar="QUESTION")
    made.add_argument("--collection", metavar="NAME", help="one or more, by commas (the last one)")
    made.add_argument("--as-of", type=int, metavar="CHAPTER", help="hide what is told later")
    made.add_argument("--pov", metavar="NAME", help="show only what this person knows")
    made.add_argument("--top-k", type=int, metavar="N", help=f"passages to show ({SHOWN})")
    made.add_argument("--chat", action="store_true", help="go on with follow-ups from the keyboard")
    made.add_argument("--reranker", metavar="MODEL", help="a cross-encoder: folder or hub name")
    made.add_argument("--json", action="store_true", help="print JSON and nothing else")
    return made


def main() -> int:
    """Entry of RAG/4_query.py."""
    options = parser().parse_args()
    if options.json:
        keep_stdout_for_data()
    if options.top_k is not None and options.top_k < 1:
        raise ToolkitError(f"--top-k is {options.top_k}; it must be 1 or more.")
    if not options.question.strip():
        raise ToolkitError("The question is empty.", 'Ask one: ./4_query.py "Who is Elena?"')
    root = chroma_dir()
    names = collections(options.collection, root)
    rerank = None
    if options.reranker:
        from .reranking import load

        rerank = load(options.reranker)
    retriever = Retriever(root, names[0], rerank=rerank)
    request = SearchRequest(
        options.question,
        collections=names,
        as_of=options.as_of,
        pov=options.pov,
        top_k=options.top_k,
    )
    if options.chat:
        chat(retriever, request, options.json)
    else:
        tell(request, retriever.search(request), options.json)
    return 0
