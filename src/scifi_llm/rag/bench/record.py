"""What a measurement was taken on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ...paths import REPO
from .processes import LITELLM

PACKAGES = ("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "httpx", "prometheus-client")


def about(peer: str = "") -> dict[str, Any]:
    """Machine, commit, time and versions."""
    commit = subprocess.run(
        ["git", "-C", str(REPO), "describe", "--always", "--dirty"], capture_output=True, text=True
    ).stdout.strip()
    versions = {name: found for name in PACKAGES if (found := _version(name))}
    if peer == "litellm":
        versions["litellm"] = LITELLM
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit,
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "load_at_start": round(os.getloadavg()[0], 2),
            "python": platform.python_version(),
        },
        "versions": versions,
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
