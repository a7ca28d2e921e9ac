"""What a measurement was taken on: machine, commit, versions."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .paths import REPO


def _output(*words: str) -> str:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=20, cwd=REPO, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip()


def first_match(pattern: str, file: str) -> str:
    """The first group of the first match in a file, or "" where there is none."""
    try:
        found = re.search(pattern, Path(file).read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return ""
    return found[1].strip() if found else ""


def machine() -> dict[str, Any]:
    """System, processor, memory in GiB and GPUs of this machine."""
    kib = first_match(r"^MemTotal:\s+(\d+)", "/proc/meminfo")
    query = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": first_match(r"^model name\s*:\s*(.*)$", "/proc/cpuinfo") or platform.machine(),
        "cpus": os.cpu_count() or 1,
        "memory_gib": round(int(kib or 0) / 2**20, 1),
        "gpus": _output(*query).splitlines(),
    }


def git() -> dict[str, Any]:
    """Commit of the toolkit ("" outside a clone) and how many files were changed since."""
    commit = _output("git", "rev-parse", "HEAD")
    changed = _output("git", "status", "--porcelain").splitlines() if commit else []
    return {"commit": commit, "changed_files": len(changed)}


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those packages that are installed, and of Python."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def record(packages: Iterable[str]) -> dict[str, Any]:
    """Time, commit, machine with its load, and versions: what numbers hold for."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **git(),
        "machine": {**machine(), "load_at_start": round(os.getloadavg()[0], 2)},
        "versions": versions_of(packages),
    }
