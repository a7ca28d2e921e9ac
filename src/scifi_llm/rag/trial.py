"""Step 3: measure how well a collection or a judged set is searched."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import machine
from ..console import Parser, log_next, log_ok, log_warn
from ..errors import ToolkitError
from ..paths import test_results_dir
from ..settings import setting
from . import embedding, evaluate, measures
from .bench import bars
from .passages import Rerank
from .retrieval import Retriever
from .subject import Subject, judged_set, own_collection

PACKAGES = ("bm25s", "chromadb", "numpy", "openvino", "onnxruntime", "pyahocorasick")
KINDS = ("all", "bm25", "dense")
SHORT = {"evidence_in_budget": "in budget"}
NAMES = {"all": "as served", "bm25": "BM25 only", "dense": "dense only"}


def results(
    subject: Subject, model: str, all_scores: Mapping[str, evaluate.Scores]
) -> dict[str, Any]:
    """Everything that was measured, by the keys of the contract and more."""
    main = all_scores["all"]
    return {
        "dataset": subject.name,
        "settings_hash": evaluate.settings_hash(),
        "queries": len(subject.queries),
        "documents": subject.documents,
        "chunks": subject.chunks,
        **evaluate.report(main),
        "embed_chunks_per_s": None if subject.rate is None else round(subject.rate, 1),
        "leaks": main.leaks,
        "model": model,
        "intervals": evaluate.intervals(main),
        "kinds": evaluate.by_kind(main),
        "compared": {kind: evaluate.report(scores) for kind, scores in all_scores.items()},
        **machine.record(PACKAGES),
        "found": main.found,
    }


def show(answer: Mapping[str, Any], all_scores: Mapping[str, evaluate.Scores]) -> None:
    """The table that a person reads."""
    names = [
        name for name in (*evaluate.MEASURES, "evidence_in_budget") if answer[name] is not None
    ]
    rows = {
        NAMES.get(kind, kind): [s.mean(name) for name in names] for kind, s in all_scores.items()
    }
    for place, bound in enumerate(("95 % from", "95 % to")):
        rows[bound] = [answer["intervals"][name][place] for name in names]
    print(" " * 18 + "".join(f"{SHORT.get(name, name):>11}" for name in names))
    for label, values in rows.items():
        print(f"{label:18}" + "".join(f"{value:11.3f}" for value in values))
    kinds = [
        f"{kind} {found.get('recall@5', found['hit@5']):.3f} ({found['queries']})"
        for kind, found in answer["kinds"].items()
    ]
    if len(kinds) > 1:
        print(f"\nrecall@5 by kind: {', '.join(kinds)}")
    latency = answer["latency_ms"]
    print(f"\nsearch: median {latency['p50']} ms, 95th percentile {latency['p95']} ms\n")


def compare(answer: Mapping[str, Any], folder: Path) -> None:
    """Tell what has changed since the last run on the same set."""
    earlier = sorted(folder.glob(f"retrieval_{answer['dataset']}_*.json"))
    if not earlier:
        return
    try:
        last = json.loads(earlier[-1].read_text(encoding="utf-8"))
        changes = [
            f"{name} {answer[name] - last[name]:+.3f}"
            for name in (*evaluate.MEASURES, "evidence_in_budget")
            if answer[name] is not None and last.get(name) is not None
            and abs(answer[name] - last[name]) >= 0.0005
        ]  # fmt: skip
    except (ValueError, OSError, TypeError, AttributeError):
        log_warn(f"{earlier[-1]} is damaged; nothing to compare with.")
        return
    told = ", ".join(changes) or "no measure changed"
    log_ok(f"Since the last run ({earlier[-1].name}): {told}")


def write(answer: dict[str, Any], all_scores: Mapping[str, evaluate.Scores], folder: Path) -> Path:
    """Log as JSON and plot as SVG, both named by set and time; returns the JSON file."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"retrieval_{answer['dataset']}_{datetime.now():%Y%m%d_%H%M%S_%f}"
    groups = {
        name: {
            NAMES[kind]: (scores.mean(name) or 0.0, *measures.interval(scores.values[name]))
            for kind, scores in all_scores.items()
            if kind in NAMES
        }
        for name in (*evaluate.MEASURES, "evidence_in_budget")
        if answer[name] is not None
    }
    title = f"{answer['dataset']}: {answer['queries']} questions, {answer['chunks']} chunks"
    (folder / f"{stem}.svg").write_text(bars.chart(title, groups), encoding="utf-8")
    file = folder / f"{stem}.json"
    file.write_text(json.dumps(answer, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def reranker(name: str | None) -> Rerank | None:
    """The cross-encoder asked for; none is the default."""
    from .reranking import load

    return load(name) if name else None


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(
        prog="3_test_retrieval.py",
        description="Measure how well a collection is searched, by the code that the proxy uses.",
        epilog="example: ./3_test_retrieval.py --dataset DIR --json out.json",
    )
    made.add_argument("--dataset", type=Path, metavar="DIR", help="a judged set (the collection)")
    made.add_argument("--collection", metavar="NAME", help="default: the one written last")
    made.add_argument("--model", metavar="M", help="preset, folder or hub name, with --dataset")
    made.add_argument("--reranker", metavar="MODEL", help="a cross-encoder: folder or hub name")
    made.add_argument("--ablate", action="store_true", help="also switch each route off in turn")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the results there as well")
    return made


def run(subject: Subject, options: argparse.Namespace) -> dict[str, evaluate.Scores]:
    """Measure every kind of search."""
    kinds = {kind: evaluate.ALONE[kind] for kind in KINDS}
    if options.ablate:
        kinds.update(evaluate.ABLATIONS)
    rerank = reranker(options.reranker)
    found = {}
    for kind, routes in kinds.items():
        searcher = Retriever(subject.root, subject.collection, routes, rerank)
        searcher.warm_up()
        found[kind] = evaluate.measure(
            searcher, subject.queries, f"Asking, {NAMES.get(kind, kind)}", subject.leaks
        )
    return found


def main() -> int:
    """Entry of RAG/3_test_retrieval.py."""
    options = parser().parse_args()
    if options.dataset and options.collection:
        raise ToolkitError("--dataset and --collection exclude each other.", "Give one of them.")
    if options.model and not options.dataset:
        raise ToolkitError(
            "A collection keeps the model it was embedded with.",
            "Measure another with --dataset, or: RAG/2_embed_and_store.py --model M --rebuild",
        )
    if options.json and not options.json.expanduser().absolute().parent.is_dir():
        raise ToolkitError(
            f"The folder of --json {options.json} does not exist.",
            f"Make it with: mkdir -p {options.json.parent}",
        )
    with tempfile.TemporaryDirectory(prefix="scifi-llm-") as scratch:
        if options.dataset:
            model = embedding.choose(options.model or setting("EMBEDDING"))
            subject = judged_set(options.dataset, model, Path(scratch))
        else:
            subject = own_collection(options.collection)
            model = Retriever(subject.root, subject.collection).collection().manifest.model
        all_scores = run(subject, options)
    answer = results(subject, model, all_scores)
    show(answer, all_scores)
    folder = test_results_dir()
    compare(answer, folder)
    file = write(answer, all_scores, folder)
    if options.json:
        options.json.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    if answer["leaks"]:
        log_warn(f"{answer['leaks']} questions were shown a note that they must not see.")
    log_ok(f"Kept in {file}, with a plot beside it (.svg)")
    log_next('RAG/4_query.py "QUESTION"')
    return 0
