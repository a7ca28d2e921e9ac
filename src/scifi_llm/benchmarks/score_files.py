"""Scores of finished text, without any server: `3_creative_quality.py --score FILE…`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..console import keep_stdout_for_data, log_error, log_ok, log_test, log_warn
from ..errors import ToolkitError
from ..prose import score as prose

MAX_BYTES = 3 * 2**20  # about 500,000 words: longer than one volume of any novel
PARTS = ("overall", "vocabulary", "structure", "creativity")


def read_text(file: Path) -> str:
    """The text of a file. Raises ToolkitError where it is none, or too large."""
    try:
        if file.is_dir():
            raise ToolkitError(f"{file} is a folder.", "Name its files.")
        if file.stat().st_size > MAX_BYTES:
            size = file.stat().st_size / 2**20
            raise ToolkitError(
                f"{file} has {size:.1f} MB, more than {MAX_BYTES // 2**20} MB.",
                "Score it chapter by chapter.",
            )
        raw = file.read_bytes()
    except OSError as error:
        raise ToolkitError(f"{file} cannot be read: {error.strerror}.", "Check the name.") from None
    if not raw.strip():
        raise ToolkitError(f"{file} is empty.", "Write something into it.")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        strange = sum(ch < " " and ch not in "\t\n\r\f" for ch in text[:20000])
        if strange <= len(text[:20000]) // 500:
            return text.replace("\f", "\n")
    raise ToolkitError(f"{file} is no text.", "Save it as plain text or Markdown in UTF-8.")


def score_file(
    file: Path, tone: str, author: dict[str, list[float]] | None = None
) -> dict[str, Any]:
    """The object of one file; scores are null where it has none, and `reason` says why."""
    nothing: dict[str, Any] = {"file": str(file), "tone": tone, **dict.fromkeys(PARTS)}
    try:
        made = prose.score(read_text(file), tone)
    except ToolkitError as error:
        return {**nothing, "reason": str(error)}
    except ValueError as error:
        return {**nothing, "reason": f"{file} is too short: {error}."}
    for name, found in made["diagnostics"].items():
        if author and name in author:
            found["author"] = author[name]
    return {"file": str(file), "tone": tone, **made}


def author_ranges(folder: str) -> dict[str, list[float]]:
    """Lowest and highest value of each diagnostic in the .md and .txt of the author's own pages.

    Raises ToolkitError where none of them can be scored.
    """
    place = Path(folder)
    files = (
        sorted(f for f in place.rglob("*") if f.suffix in (".md", ".txt")) if place.is_dir() else []
    )
    rows = [row for f in files if (row := score_file(f, prose.DEFAULT_TONE))["overall"] is not None]
    if not rows:
        raise ToolkitError(
            f"{folder} holds no page of {prose.MIN_WORDS} words or more.",
            "Name a folder of .md or .txt files: --baseline DIR",
        )
    ranges = {}
    for name in prose.DIAGNOSTICS:
        values = [v for row in rows if (v := row["diagnostics"][name]["value"]) is not None]
        if values:
            ranges[name] = [min(values), max(values)]
    return ranges


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The scores as lines of text."""
    lines = [f"{'overall':>8} {'vocab.':>7} {'struct.':>8} {'creat.':>7}  +/-   file"]
    for row in rows:
        if row["overall"] is None:
            lines.append(f"{'-':>8} {'-':>7} {'-':>8} {'-':>7}   -    {row['file']}")
            continue
        a, b, c, d = (row[part] for part in PARTS)
        lines.append(f"{a:8.1f} {b:7.1f} {c:8.1f} {d:7.1f} {row['interval']:5.1f}  {row['file']}")
        for name, found in row["diagnostics"].items():
            if found["inside"] is False:
                low, high = found["human"]
                lines.append(f"         {name} {found['value']:g}, people {low:g} to {high:g}")
    return "\n".join(lines)


def run(files: Sequence[str], tone: str, out: str | None, baseline: str | None) -> int:
    """Score files; 0 where all could be scored, 2 where some, 1 where none."""
    if out == "-":
        keep_stdout_for_data()
    author = author_ranges(baseline) if baseline else None
    log_test(f"Scoring {len(files)} files in the tone {tone}")
    rows = [score_file(Path(file), tone, author) for file in files]
    for row in rows:
        if row["overall"] is None:
            (log_error if len(rows) == 1 else log_warn)(row["reason"])
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    if out == "-":
        print(text)
    else:
        print(table(rows))
    if out and out != "-":
        Path(out).write_text(text + "\n", encoding="utf-8")
        log_ok(f"Written: {out}")
    scored = sum(row["overall"] is not None for row in rows)
    sys.stdout.flush()
    return 0 if scored == len(rows) else 2 if scored else 1
