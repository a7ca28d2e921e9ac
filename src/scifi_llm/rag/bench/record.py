"""What a measurement of the proxy was taken on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ... import machine
from ...console import Parser
from ...paths import chroma_dir, rag_home
from .. import store
from ..index import choose_collection
from .processes import LITELLM

PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "httpx", "prometheus-client")


def about(peer: str = "") -> dict[str, Any]:
    """Machine, commit, time and versions; the peer's version where one is measured."""
    found = machine.record(PACKAGES)
    if peer == "litellm":
        found["versions"]["litellm"] = LITELLM
    return found


def parser(script: str, description: str, file: str) -> Parser:
    """The arguments that all measurements of the proxy take; their result goes into `file`."""
    made = Parser(prog=script, description=description)
    made.add_argument("--collection", metavar="NAME", help="default: the last one")
    made.add_argument("--out", type=Path, default=rag_home() / "test_results" / file,
                      metavar="FILE", help=f"JSON (RAG/test_results/{file})")  # fmt: skip
    return made


def chosen(collection: str | None) -> str:
    """The collection to measure with. Raises ToolkitError where there is none."""
    return store.require(chroma_dir(), choose_collection(collection, chroma_dir())).name


def keep(result: dict[str, Any], file: Path) -> None:
    """Write a measurement down."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
