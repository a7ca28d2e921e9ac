"""A finished story held against facts, without any server: `--check STORY --facts FACTS.yaml`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..console import keep_stdout_for_data, log_ok, log_warn
from ..errors import ToolkitError
from .facts import model as facts_model
from .facts.check import CONTRADICTED, KEPT, check
from .facts.fact import Fact
from .score_files import read_text


def check_files(story_file: Path, facts_file: Path, out: str | None) -> int:
    """`--check`: print a row a fact and write them; 0 also where facts are contradicted."""
    if out == "-":
        keep_stdout_for_data()
    rows = check_story(read_text(story_file), facts_model.load(facts_file))
    if out != "-":
        print(table(rows))
    text = json.dumps(rows, indent=1, ensure_ascii=False)
    if out == "-":
        print(text)
    elif out:
        Path(out).write_text(text + "\n", encoding="utf-8")
        log_ok(f"Written: {out}")
    wrong = sum(row["verdict"] == CONTRADICTED for row in rows)
    kept = sum(row["verdict"] == KEPT for row in rows)
    say = log_warn if wrong else log_ok
    say(
        f"{len(rows)} facts: {kept} kept, {wrong} contradicted, "
        f"{len(rows) - kept - wrong} not mentioned"
    )
    return 0


def check_story(text: str, facts: Sequence[Fact]) -> list[dict[str, Any]]:
    """The rows of `check`. Raises ToolkitError for a text without a sentence."""
    if not any(ch.isalpha() for ch in text):
        raise ToolkitError("The story holds no sentence.", "Name a text: --check STORY")
    return check(text, facts)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as lines of text, contradictions with their sentence."""
    lines = []
    for row in rows:
        what = f"{row['subject']}: {row['attribute']} = {row['value']}"
        lines.append(f"{row['verdict']:<14} {row['id']:<16} {what}")
        lines += [
            f"{'':14} word {e['word']}: {e['sentence']}" for e in row["evidence"] if row["quote"]
        ]
    return "\n".join(lines)
