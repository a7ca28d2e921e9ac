"""The footer that names an answer's sources in its text: written, and taken out of the history."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

TITLE = "Canon consulted:"
MAX_LINES = 5
# Exactly what `footer` writes, wherever it stands: a client may have continued the answer behind
# it, or trimmed the blank line before it.
_FOOTER = re.compile(rf"(?:\n\n|\n|^)---\n{TITLE}(?:\n- [^\n]* \([^\n]*\))+")


def footer(sources: Sequence[dict[str, Any]]) -> str:
    """The lines to put behind an answer, one a note, or "" for none. Pure.

    Notes that are always given are left out: they would stand below every answer.
    """
    headings: dict[str, str] = {}
    for source in sources:
        if source.get("why") != "always":
            headings.setdefault(str(source["path"]), str(source["heading"]))
    lines = [f"- {_line(text)} ({_line(path)})" for path, text in headings.items()]
    return "\n".join(["\n\n---", TITLE, *lines[:MAX_LINES]]) if lines else ""


def without_footer(text: str) -> str:
    """The text as the model wrote it."""
    return _FOOTER.sub("", text) if TITLE in text else text


def _line(text: str) -> str:
    return " ".join(text.split())
