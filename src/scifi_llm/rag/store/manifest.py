"""current.json: which version of a collection counts, and what it was made from."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ...errors import ToolkitError

FORMAT = 2
# Chroma takes 3 to 512; the name is a folder too, and those end at 255 with what is added to it.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,238}[a-zA-Z0-9]")


@dataclass(frozen=True)
class Manifest:
    """What current.json says of a collection's present version."""

    name: str
    model: str
    dimension: int
    source: str
    digest: str  # of sections, model and settings: equal digests are equal collections
    settings: str = ""  # of chunking: chunks made under other settings are not taken over
    backend: str = ""  # what computed the vectors, for example openvino-bf16
    server: str = ""  # CHROMA_URL of the store of record; "" is the database in the folder
    # Set when a version is published.
    version: int = 0
    chunks: int = 0
    files: int = 0
    created: str = ""
    patched: int = 0  # records changed since the database was last written whole
    format: int = FORMAT


def check_name(name: str) -> str:
    """Return a name that Chroma accepts (3 to 240 of a-z A-Z 0-9 . _ -) or raise ToolkitError."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ToolkitError(
            f"{name!r} is no name for a collection.",
            "Use 3 to 240 letters, digits, dots, dashes or underscores, for example: scifi_world",
        )
    return name


def manifest(root: Path, name: str) -> Manifest | None:
    """The manifest of a collection, or None where there is no such collection.

    Raises ToolkitError where it is damaged or of another format.
    """
    file = root / check_name(name) / "current.json"
    try:
        found = Manifest(**json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        found = None
    if found is None or found.format != FORMAT:
        raise ToolkitError(f"{file} is damaged or from another version.", rebuild(name))
    return found


def manifest_or_none(root: Path, name: str) -> Manifest | None:
    """The manifest, with a damaged one counted as none: a new version replaces it."""
    try:
        return manifest(root, name)
    except ToolkitError:
        return None


def collections(root: Path) -> list[Manifest]:
    """Manifests of all readable collections, newest first."""
    found = []
    for file in root.glob("*/current.json"):
        try:
            entry = manifest(root, file.parent.name)
        except ToolkitError:
            continue
        if entry:
            found.append(entry)
    return sorted(found, key=lambda entry: entry.created, reverse=True)


def require(root: Path, name: str) -> Manifest:
    """The manifest of a collection.

    Raises ToolkitError that lists the collections there are where it is missing.
    """
    found = manifest(root, name)
    if found is None:
        names = ", ".join(entry.name for entry in collections(root)) or "none yet"
        raise ToolkitError(
            f"There is no collection {name!r} in {root} (there are: {names}).",
            f"Make it with: RAG/2_embed_and_store.py --collection {name}",
        )
    return found


@contextmanager
def writing(root: Path, name: str) -> Iterator[None]:
    """Hold a collection for writing; raises ToolkitError where another process does."""
    folder = root / check_name(name)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ToolkitError(
                f"Another process is embedding into {name!r}.", "Wait for it, then run this again."
            ) from None
        yield


def point_to(root: Path, entry: Manifest) -> None:
    """Make a version the one that counts, in one step."""
    text = json.dumps(asdict(entry), indent=2) + "\n"
    replace(root / entry.name / "current.json", text.encode())


def replace(file: Path, data: bytes) -> None:
    """Write a file in one step: readers see the old or the new content, whole."""
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with scratch.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        scratch.replace(file)
    finally:
        scratch.unlink(missing_ok=True)


def rebuild(name: str) -> str:
    """The command that mends a damaged collection."""
    return f"Build it anew: RAG/2_embed_and_store.py --collection {name} --rebuild"
