"""One JSON file a run: what was measured, with which server, on which machine, from which commit.

The file is written after every item, so that a run that was cut short keeps what it has; the same
command finds it and goes on. result.schema.json describes it.
"""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..console import log_ok, log_warn, progress
from ..errors import ToolkitError
from ..machine import first_match, git, machine
from ..paths import REPO
from .target import Target

SCHEMA = Path(__file__).with_name("result.schema.json")
SCHEMA_VERSION = 1
RESULTS = REPO / "vllm" / "benchmarks" / "results"
KINDS = ("throughput", "scaling", "creative", "coherence", "comparison")


def versions(target: Target) -> dict[str, str]:
    """Versions of the toolkit, Python and the server ("" where it does not say)."""
    toolkit = first_match(r'^version = "(.*)"$', str(REPO / "pyproject.toml"))
    return {"scifi_llm": toolkit, "python": platform.python_version(), "server": target.version}


@dataclass
class Run:
    """A run and its file. `items` grow; `data` is what the file holds."""

    file: Path
    data: dict[str, Any]
    items: list[dict[str, Any]] = field(default_factory=list)

    def done(self, key: str) -> bool:
        """Is the item of that key there?"""
        return any(item["key"] == key for item in self.items)

    def add(self, item: dict[str, Any]) -> None:
        """Keep an item, on disk as well."""
        self.items.append(item)
        self.save()

    def save(self) -> None:
        """Write the file in one step."""
        text = json.dumps({**self.data, "items": self.items}, indent=1, ensure_ascii=False)
        scratch = self.file.with_suffix(".tmp")
        scratch.write_text(text + "\n", encoding="utf-8")
        scratch.replace(self.file)

    def finish(self, summary: dict[str, Any], complete: bool = True) -> None:
        """Set the summary and write the file a last time."""
        self.data["summary"] = summary
        self.data["complete"] = complete
        self.data["finished"] = now()
        self.save()


def now() -> str:
    """Local time with its zone, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def slug(text: str) -> str:
    """A name that is fit for a file."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text.rstrip("/").rsplit("/", 1)[-1]).strip("-") or "model"


def folder(out: str | None) -> Path:
    """The folder of the results, made where it is missing."""
    made = Path(out).expanduser() if out else RESULTS
    try:
        made.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ToolkitError(f"{made} is no folder.", "Name a folder: --out DIR") from None
    return made


def start(
    kind: str, target: Target, parameters: dict[str, Any], seed: int, out: str | None, fresh: bool
) -> Run:
    """A new run, or the newest one cut short of the same kind, model, parameters and seed."""
    place = folder(out)
    same = {"benchmark": kind, "model": target.model, "parameters": parameters, "seed": seed,
            "base_url": target.base_url}  # fmt: skip
    same = json.loads(json.dumps(same))
    if not fresh and (old := _unfinished(place, kind, same)):
        log_ok(f"Going on with {old.file.name}: {len(old.items)} items are there (--fresh: anew)")
        return old
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    file, count = place / f"{kind}_{slug(target.model)}_{stamp}.json", 1
    while file.exists():
        count += 1
        file = place / f"{kind}_{slug(target.model)}_{stamp}-{count}.json"
    data = {
        "schema": SCHEMA_VERSION,
        **same,
        "started": now(),
        "finished": None,
        "complete": False,
        "versions": versions(target),
        "machine": machine(),
        "git": git(),
        "summary": {},
    }
    return Run(file, data)


def _unfinished(place: Path, kind: str, same: dict[str, Any]) -> Run | None:
    for file in sorted(place.glob(f"{kind}_*.json"), reverse=True):
        data = load(file)
        if data and not data["complete"] and all(data[key] == same[key] for key in same):
            items = data["items"]
            while items and items[-1].get("error"):  # the server went away: ask again
                items.pop()
            return Run(file, {k: v for k, v in data.items() if k != "items"}, items)
    return None


def load(file: Path) -> dict[str, Any] | None:
    """A result of this schema, or None."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and data.get("schema") == SCHEMA_VERSION else None


Work = tuple[str, Callable[[], dict[str, Any]]]


def work_through(
    run: Run, work: Iterable[Work], label: str, summarize: Callable[[list[Any]], dict[str, Any]]
) -> None:
    """Do what is not done yet, one item after the other, with progress; keep each at once.

    Ctrl+C leaves a file with `complete` false and a summary of the items so far.
    """
    left = [(key, do) for key, do in work if not run.done(key)]
    run.save()
    try:
        for key, do in progress(left, len(left), label, "items"):
            begun = time.monotonic()
            item = do()
            run.add({"key": key, "item_seconds": round(time.monotonic() - begun, 3), **item})
    except KeyboardInterrupt:
        run.finish(summarize(run.items), complete=False)
        log_warn(f"{len(run.items)} items are kept in {run.file}")
        raise
    run.finish(summarize(run.items))
    publish(run)


def publish(run: Run) -> None:
    """Say where the result lies and write the folder's report anew."""
    from . import report  # the report reads results

    log_ok(f"Written: {run.file} and {report.write(run.file.parent)}")
