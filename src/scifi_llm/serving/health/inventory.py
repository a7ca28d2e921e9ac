"""What a machine and its environments are, as rows for the snapshot. Standard library only.

A row is a tuple of strings. What a machine lacks is said in its row; nothing here raises for it.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import distributions
from pathlib import Path

from ...paths import REPO, model_cache, venvs_dir

Rows = list[tuple[str, ...]]
COMMAND_SECONDS = 20.0
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16")  # vLLM's CPU kernels differ
LOCKS = {"rag": "rag.txt", "llm": ""}  # which one llm has stands in the environment itself
NONE = "none"


def output(*words: str) -> str:
    """What a program prints, or "" where it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=COMMAND_SECONDS, cwd=REPO, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip()


def text_of(file: Path) -> str:
    """A small file's text, or ""."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def human(size: float) -> str:
    """Bytes for people: 1536 is 1.5 KiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"


def field_of(text: str, name: str) -> str:
    """The value of the first line `name : value` or `name=value`."""
    found = re.search(rf"^{re.escape(name)}\s*[:=]\s*(.*)$", text, re.MULTILINE)
    return found[1].strip().strip('"') if found else ""


def toolkit() -> Rows:
    """Version and commit of the toolkit, and whether files were changed."""
    commit = output("git", "rev-parse", "HEAD")
    if not commit:
        return [("version", field_of(text_of(REPO / "pyproject.toml"), "version")),
                ("commit", "unknown: no git, or no clone")]  # fmt: skip
    changed = output("git", "status", "--porcelain").splitlines()
    return [
        ("version", field_of(text_of(REPO / "pyproject.toml"), "version")),
        ("git describe", output("git", "describe", "--tags", "--always")),
        ("commit", commit),
        ("changed files", str(len(changed)) if changed else NONE),
        ("folder", str(REPO)),
    ]


def machine() -> Rows:
    """System, Python, CPU, memory and disks."""
    release = platform.release()
    wsl = "microsoft" in release.lower()
    cpu, memory = text_of(Path("/proc/cpuinfo")), text_of(Path("/proc/meminfo"))
    flags = set(field_of(cpu, "flags").split())
    have = [flag for flag in FLAGS if flag in flags]
    kib = {
        key: int((field_of(memory, key) or "0").split()[0]) for key in ("MemTotal", "MemAvailable")
    }
    return [
        ("system", field_of(text_of(Path("/etc/os-release")), "PRETTY_NAME") or platform.system()),
        ("WSL", os.environ.get("WSL_DISTRO_NAME") or "yes" if wsl else "no"),
        ("kernel", f"{release} {platform.machine()}"),
        ("Python of the system", platform.python_version()),
        ("CPU", field_of(cpu, "model name") or platform.machine()),
        ("CPUs", str(os.cpu_count())),
        ("CPU flags", ", ".join(have) or NONE),
        ("CPU flags missing", ", ".join(flag for flag in FLAGS if flag not in have) or NONE),
        (
            "memory",
            f"{human(kib['MemTotal'] * 1024)}, {human(kib['MemAvailable'] * 1024)} available",
        ),
        *((f"disk of {folder}", free(folder)) for folder in (REPO, venvs_dir(), model_cache())),
    ]


def free(folder: Path) -> str:
    """Free space of the file system that holds, or will hold, a folder."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        usage = shutil.disk_usage(folder)
    except OSError as error:
        return f"unknown: {error.strerror}"
    return f"{human(usage.free)} free of {human(usage.total)}"


def gpu() -> Rows:
    """GPUs, driver and CUDA toolkit."""
    query = "--query-gpu=name,memory.total,compute_cap,driver_version"
    cards = output("nvidia-smi", query, "--format=csv,noheader").splitlines()
    driver = re.search(r"CUDA Version:\s*([\d.]+)", output("nvidia-smi"))
    nvcc = output("nvcc", "--version") or output("/usr/local/cuda/bin/nvcc", "--version")
    release = re.search(r"release ([\d.]+)", nvcc)
    rows: Rows = [(f"GPU {i}", card) for i, card in enumerate(cards)]
    return [
        *(rows or [("GPU", "none: nvidia-smi is missing or sees no GPU")]),
        ("CUDA of the driver", driver[1] if driver else NONE),
        ("CUDA toolkit (nvcc)", release[1] if release else NONE),
    ]


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder; links are not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118  # 100,000 files
            except OSError:
                continue
    return total


def caches() -> Rows:
    """Folders of models on this disk: what the toolkit made, and what came from the hub."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    rows: Rows = []
    for cache in (model_cache(), hub):
        try:
            folders = sorted(folder for folder in cache.iterdir() if folder.is_dir())
        except OSError:
            folders = []
        models = [f for f in folders if cache != hub or f.name.startswith("models--")]
        rows += [(str(folder), human(size_of(folder))) for folder in models]
        rows += [] if models else [(str(cache), "no models")]
    return rows


def pins(lock: Path) -> dict[str, tuple[list[str], bool]]:
    """name -> (versions, whether every machine has one) of a lock's lines.

    A name may stand there several times, for several versions of Python.
    """
    found: dict[str, tuple[list[str], bool]] = {}
    for line in text_of(lock).splitlines():
        parts = re.match(r"([A-Za-z0-9._-]+)==([^\s;]+)", line)
        if parts:
            versions, always = found.get(_plain(parts[1]), ([], False))
            found[_plain(parts[1])] = ([*versions, parts[2]], always or ";" not in line)
    return found


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _short(version: str) -> str:
    return re.sub(r"(\.0)+$", "", version)  # 1.0 and 1.0.0 are the same version


def environment(name: str) -> tuple[str, Rows]:
    """One line about an environment, and (package, version, lock) of what its lock pins."""
    folder = venvs_dir() / name
    if not folder.is_dir():
        return f"{folder} does not exist.", []
    lock = LOCKS[name] or text_of(folder / ".ready") or text_of(folder / ".made-for")
    sites = [str(path) for path in sorted(folder.glob("lib/python*/site-packages"))]
    installed = {
        _plain(str(found.metadata["Name"])): found.version
        for found in distributions(path=sites)
        if found.metadata["Name"]
    }
    wanted = pins(REPO / "requirements" / lock) if lock else {}
    rows: Rows = []
    for package, (versions, always) in sorted(wanted.items()):
        have = installed.get(package, "missing")
        # What only some machines need may be missing: the markers are not evaluated here.
        if have != "missing" or always:
            same = _short(have) in map(_short, versions)
            rows.append((package, have, "" if same else f"differs: {' or '.join(versions)}"))
    python = field_of(text_of(folder / "pyvenv.cfg"), "version") or "unknown"
    differing = sum(1 for row in rows if row[2])
    return (
        f"{folder}: Python {python}, {len(installed)} packages; of {len(rows)} pins of "
        f"requirements/{lock or '?'} {differing} differ.",
        rows,
    )
