"""What became of every token: OUT/ledger.json beside the JSONL files, and its recount."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

from ..errors import ToolkitError
from .counting import TokenCounter
from .forms import Record
from .leakage import N, all_grams
from .manuscript import Removed
from .splitting import SPLITS

LEDGER = "ledger.json"
PREPARE = "Prepare it with: fine-tuning/scripts/1_prepare_data.py --input DIR --out DIR"


def letters(text: str) -> int:
    """Characters that are no blanks: the measure that no cutting or joining of lines changes."""
    return sum(map(len, text.split()))


def make_ledger(
    splits: dict[str, list[Record]], removed: Iterable[Removed], counter: TokenCounter
) -> dict[str, Any]:
    """The counts: `tokens_in` = train + validation + test + dropped, and the same in characters.

    Tokens are those of each record's `text`, and of each text that was left out, counted alone.
    """
    tokens = {split: sum(r["tokens"] for r in records) for split, records in splits.items()}
    characters = {
        split: sum(letters(r["text"]) for r in records) for split, records in splits.items()
    }
    reasons: Counter[str] = Counter()
    dropped = 0
    for part in removed:
        reasons[part.reason] += counter.count(part.text)
        dropped += letters(part.text)
    tokens["dropped"], characters["dropped"] = reasons.total(), dropped
    return {
        "tokens_in": sum(tokens.values()),
        **tokens,
        "dropped_because": dict(sorted(reasons.items())),
        "tokenizer": counter.name,
        "tokenizer_exact": counter.exact,
        "characters_without_blanks": {"in": sum(characters.values()), **characters},
        "samples": {split: len(records) for split, records in splits.items()},
    }


def check_folder(folder: Path) -> dict[str, Any]:
    """The ledger of a prepared folder, after a recount of its JSONL files.

    Raises ToolkitError where a file is missing or damaged, where the numbers do not balance, or
    where one split repeats another.
    """
    ledger = _read_ledger(folder / LEDGER)
    splits = {split: read_records(folder / f"{split}.jsonl") for split in SPLITS}
    for split, records in splits.items():
        counted = sum(record["tokens"] for record in records)
        letters_counted = sum(letters(record["text"]) for record in records)
        wanted = ledger[split], ledger["characters_without_blanks"][split]
        if (counted, letters_counted) != wanted:
            raise ToolkitError(
                f"{folder / f'{split}.jsonl'} has {counted:,} tokens in {letters_counted:,} "
                f"characters; the ledger says {wanted[0]:,} in {wanted[1]:,}.",
                PREPARE,
            )
    if ledger["tokens_in"] != sum(ledger[key] for key in (*SPLITS, "dropped")):
        raise ToolkitError(f"{folder / LEDGER} does not balance.", PREPARE)
    check_leakage(splits)
    return ledger


def check_leakage(splits: dict[str, list[Record]]) -> None:
    """Raises ToolkitError where two splits share a run of N words."""
    known = {split: all_grams(r["text"] for r in records) for split, records in splits.items()}
    for one, other in combinations(SPLITS, 2):
        shared = known[one] & known[other]
        if not shared:
            continue
        first = next(r for r in splits[other] if all_grams([r["text"]]) & shared)
        raise ToolkitError(
            f"Leakage: {other} repeats {len(shared)} runs of {N} words of {one}, first in "
            f"{first['source']} ({first['chapter']}).",
            "A test on text that was trained on proves nothing. " + PREPARE,
        )


def _read_ledger(file: Path) -> dict[str, Any]:
    try:
        ledger: dict[str, Any] = json.loads(file.read_text("utf-8"))
        for key in ("tokens_in", *SPLITS, "dropped"):
            int(ledger[key])
        ledger["characters_without_blanks"]["train"]
    except FileNotFoundError:
        raise ToolkitError(
            f"{file.parent} holds no prepared data (no {LEDGER}).", PREPARE
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ToolkitError(f"{file} is damaged.", PREPARE) from None
    return ledger


def read_records(file: Path) -> list[Record]:
    """The records of a JSONL file.

    Raises ToolkitError where it is missing or a line is no record.
    """
    try:
        lines = file.read_text("utf-8").split("\n")
    except FileNotFoundError:
        raise ToolkitError(f"{file} does not exist.", PREPARE) from None
    records = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            made = json.loads(line)
            if not (isinstance(made["text"], str) and made["text"] and int(made["tokens"]) >= 0):
                raise ValueError("text")
        except (ValueError, KeyError, TypeError):
            raise ToolkitError(f"{file}, line {number}, is no record.", PREPARE) from None
        records.append(made)
    return records
