"""Step 1: the author's prose to samples in train.jsonl, validation.jsonl and test.jsonl."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..console import Parser, log_next, log_ok, log_test, log_warn
from ..documents import SUFFIXES, Reading, note_files, read_folder
from ..errors import ToolkitError
from ..numeric import share, whole
from ..paths import REPO
from ..settings import setting
from .assemble import Plan, assemble
from .canaries import make_canaries, write_canaries
from .counting import TokenCounter, token_counter
from .forms import FORMS, Record
from .ledger import LEDGER, check_folder
from .manuscript import LARGE_WORDS, Manuscript, blocks_of, read_manuscript
from .splitting import LEAST, SPLITS

SOME_FILES_BAD = 2  # exit status: everything else was written
DATA = REPO / "fine-tuning" / "data"


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of 1_prepare_data.py."""
    parser = Parser(
        prog="1_prepare_data.py",
        description="Turn a folder of the author's prose into samples for fine-tuning.",
        epilog="example: ./1_prepare_data.py --input ~/novel/chapters --format raw",
    )
    add = parser.add_argument
    add(
        "--input",
        type=Path,
        metavar="DIR",
        default=DATA / "raw",
        help="prose (fine-tuning/data/raw)",
    )
    add(
        "--out",
        type=Path,
        metavar="DIR",
        default=DATA / "processed",
        help="folder to write (fine-tuning/data/processed)",
    )
    add(
        "--format",
        choices=FORMS,
        default="raw",
        help="raw continuation (default), instruction, chat",
    )
    add("--seed", type=int, default=7, help="decides which chapters are held out (7)")
    add(
        "--max-tokens",
        type=_tokens,
        default=1984,
        metavar="N",
        help="longest sample (1984: 2048 less room for a prompt)",
    )
    add(
        "--split-by",
        choices=("chapter", "book"),
        default="chapter",
        help="a book is a file (chapter)",
    )
    add(
        "--held-out",
        type=_share,
        default=0.1,
        metavar="SHARE",
        help="of the text for each of validation and test (0.1)",
    )
    add("--together", action="store_true", help="keep chapters that repeat each other in one split")
    add(
        "--model",
        default=setting("CPU_MODEL"),
        metavar="NAME",
        help="count with this model's tokenizer; words: without one (the bundled model)",
    )
    add(
        "--canaries",
        type=int,
        choices=range(9),
        default=0,
        metavar="N",
        help="also train on N made-up secrets, to measure memorisation (0 to 8)",
    )
    add("--check", action="store_true", help="only count --out again and look for leakage")
    return parser.parse_args(words)


def _tokens(text: str) -> int:
    try:
        return whole(text, 32)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no {error}") from None


def _share(text: str) -> float:
    try:
        return share(text, 0.01, 0.3)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no {error}") from None


def read_input(folder: Path) -> Reading:
    """What the readers find; each file that they leave out is warned of.

    Raises ToolkitError where the folder is missing or nothing in it can be read.
    """
    if not folder.is_dir():
        raise ToolkitError(
            f"{folder} is not a folder.", "Name the folder of your prose: --input DIR"
        )
    if not any(note_files(folder)):
        raise ToolkitError(
            f"{folder} holds no prose ({', '.join(sorted(SUFFIXES))}).",
            "Put your chapters there, or name their folder: --input DIR",
        )
    log_test(f"Reading {folder}")
    reading = read_folder(folder)
    for path, reason in reading.bad:
        log_warn(f"Left out {path}: {reason}. Mend the file and run this again.")
    if not reading.sections:
        raise ToolkitError(f"No file in {folder} could be read.", "Mend the files named above.")
    return reading


def with_blocks(manuscript: Manuscript) -> Manuscript:
    """Texts without chapters as blocks, where they would leave too few parts to split."""
    chapters = []
    few = len(manuscript.chapters) < LEAST
    for chapter in manuscript.chapters:
        if chapter.heading or not (few or chapter.words > LARGE_WORDS):
            chapters.append(chapter)
            continue
        blocks = blocks_of(chapter)
        if len(blocks) > 1:
            log_warn(
                f"{chapter.source} has no chapter headings; taking {len(blocks)} blocks of about "
                "3,000 words for chapters. Mark its chapters with headings for a cleaner split."
            )
        chapters += blocks
    return Manuscript(chapters, manuscript.removed)


def write(folder: Path, records: dict[str, list[Record]], ledger: dict[str, Any]) -> None:
    """Write the JSONL files and, last, the ledger; each in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LEDGER).unlink(missing_ok=True)
    for split in SPLITS:
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records[split]]
        _replace(folder / f"{split}.jsonl", "".join(lines))
    _replace(folder / LEDGER, json.dumps(ledger, ensure_ascii=False, indent=1) + "\n")


def _replace(file: Path, text: str) -> None:
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        scratch.write_text(text, encoding="utf-8")
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def report(ledger: dict[str, Any], out: Path) -> None:
    """Say what was made of how much."""
    total = max(1, ledger["tokens_in"])
    for split in SPLITS:
        log_ok(
            f"{split}: {ledger[split]:,} tokens ({ledger[split] / total:.1%}), "
            f"{ledger['samples'][split]} samples, {len(ledger['chapters'][split])} chapters"
        )
    reasons = ", ".join(f"{why} {count:,}" for why, count in ledger["dropped_because"].items())
    log_ok(f"dropped: {ledger['dropped']:,} tokens ({reasons or 'nothing'})")
    log_ok(f"{ledger['tokens_in']:,} tokens in, counted by {ledger['tokenizer']}; {out / LEDGER}")


def _prepare(options: argparse.Namespace, counter: TokenCounter) -> Reading:
    reading = read_input(options.input)
    manuscript = with_blocks(read_manuscript(reading.sections))
    plan = Plan(
        options.format,
        options.seed,
        options.max_tokens,
        options.split_by,
        options.held_out,
        options.together,
    )
    records, ledger = assemble(manuscript, plan, counter)
    repeats = ledger["dropped_because"].get("repeats another split", 0)
    if repeats:
        log_warn(f"{repeats:,} tokens of held-out text repeat other chapters and were left out.")
    write(options.out, records, ledger)
    write_canaries(options.out, make_canaries(options.canaries, options.seed))
    report(ledger, options.out)
    return reading


def main() -> int:
    """Entry of fine-tuning/scripts/1_prepare_data.py."""
    options = parse()
    if options.check:
        ledger = check_folder(options.out)
        log_ok(f"{options.out} balances ({ledger['tokens_in']:,} tokens in) and leaks nothing.")
        return 0
    counter = token_counter(options.model)
    if not counter.exact and options.model != "words":
        log_warn(
            f"The tokenizer of {options.model} is not on this machine; counting words and marks."
        )
    bad = _prepare(options, counter).bad
    if bad:
        log_warn(f"{len(bad)} files were left out (status {SOME_FILES_BAD}).")
    log_next(
        "fine-tuning/scripts/2_train.py --config fine-tuning/configs/qlora_8b_5090.yaml --dry-run"
    )
    return SOME_FILES_BAD if bad else 0
