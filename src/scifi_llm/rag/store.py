"""Collections in Chroma, published whole.

chroma_db/NAME/vN/ is a Chroma database that is never changed once written, and
chroma_db/NAME/current.json names the one that counts. A writer makes vN+1 beside vN and then
replaces current.json, so that a reader, or a kill at any moment, meets the old or the new one.
Chroma 1.5.9 serves stale vectors to a process that holds a database open while another writes to
it; a database that never changes has no stale readers.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..documents import Section
from ..errors import ToolkitError
from .chunking import Chunk

if TYPE_CHECKING:
    import numpy as np

FORMAT = 1
WRITE_BATCH = 500
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")


@dataclass(frozen=True)
class Manifest:
    """What current.json says of a collection's present version."""

    name: str
    version: int
    model: str
    dimension: int
    chunks: int
    files: int
    source: str
    created: str
    digest: str  # of sections, model and settings: equal digests are equal collections
    format: int = FORMAT


def check_name(name: str) -> str:
    """Return a name that Chroma accepts (3 to 512 of a-z A-Z 0-9 . _ -) or raise ToolkitError."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise ToolkitError(
            f"{name!r} is no name for a collection.",
            "Use 3 to 512 letters, digits, dots, dashes or underscores, for example: scifi_world",
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
        raise ToolkitError(f"{file} is damaged or from another version.", _rebuild(name))
    return found


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


class Collection:
    """One published version, open for reading. Its chunks are held in memory, in stored order."""

    def __init__(self, root: Path, entry: Manifest) -> None:
        self.manifest = entry
        self._chroma = _open(root / entry.name / f"v{entry.version}", entry.name, create=False)
        records = self._chroma.get(include=["metadatas"])
        self.chunks: dict[str, Chunk] = {
            id_: _chunk(id_, meta["record"])
            for id_, meta in zip(records["ids"], records["metadatas"], strict=True)
        }

    def query(
        self, vector: np.ndarray, limit: int, allowed: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """(chunk id, cosine similarity) of the `limit` nearest, best first.

        `allowed` keeps the ranking to those ids; None allows all.
        """
        if limit < 1 or (allowed is not None and not allowed):
            return []
        answer = self._chroma.query(
            query_embeddings=[vector.tolist()],
            n_results=min(limit, len(self.chunks) if allowed is None else len(allowed)),
            ids=None if allowed is None else list(allowed),
            include=["distances"],
        )
        pairs = zip(answer["ids"][0], answer["distances"][0], strict=True)
        return [(id_, 1.0 - distance) for id_, distance in pairs]

    def vectors(self) -> dict[str, Any]:
        """Chunk id to its vector, for those a new version can take over."""
        records = self._chroma.get(include=["embeddings"])
        return dict(zip(records["ids"], records["embeddings"], strict=True))


def publish(root: Path, entry: Manifest, chunks: Sequence[Chunk], vectors: np.ndarray) -> Manifest:
    """Write a version and make it the one that counts. Call it inside `writing`.

    `vectors` has shape (len(chunks), dimension). `entry.version` and `entry.created` are set here.
    """
    folder = root / entry.name
    # A reader reads current.json before it opens a version: the last one must stay for a while.
    old = _versions(folder)
    current = manifest_or_none(root, entry.name)
    keep = {current.version} if current else set()
    for version in old:
        if version not in keep:
            shutil.rmtree(folder / f"v{version}", ignore_errors=True)
    version = max([0, *old]) + 1
    try:
        _write(folder / f"v{version}", entry.name, chunks, vectors)
    except BaseException:
        # On a full disk what is half written would keep it full.
        shutil.rmtree(folder / f"v{version}", ignore_errors=True)
        raise
    created = datetime.now(UTC).isoformat(timespec="microseconds")
    result = Manifest(**{**asdict(entry), "version": version, "created": created})
    _replace(folder / "current.json", json.dumps(asdict(result), indent=2) + "\n")
    return result


def _write(folder: Path, name: str, chunks: Sequence[Chunk], vectors: np.ndarray) -> None:
    from chromadb.errors import ChromaError

    try:
        chroma = _open(folder, name, create=True)
        for first in range(0, len(chunks), WRITE_BATCH):
            part = chunks[first : first + WRITE_BATCH]
            chroma.add(
                ids=[chunk.id for chunk in part],
                embeddings=vectors[first : first + len(part)],
                documents=[chunk.text for chunk in part],
                metadatas=[{"path": chunk.note.path, "record": record(chunk)} for chunk in part],
            )
    except ChromaError as error:
        free = shutil.disk_usage(folder).free // 1_000_000
        raise ToolkitError(
            f"Chroma could not write {folder} ({error}); {free} MB are free there.",
            f"Free some disk space (see: df -h {folder.parent}) and run the same command again.",
        ) from None


def manifest_or_none(root: Path, name: str) -> Manifest | None:
    """The manifest, with a damaged one counted as none: a new version replaces it."""
    try:
        return manifest(root, name)
    except ToolkitError:
        return None


def record(chunk: Chunk) -> str:
    """A chunk as JSON text without its id, the same for the same chunk."""
    section = Section(chunk.note, chunk.heading, chunk.text, chunk.start, chunk.end)
    return json.dumps(section.as_record(), ensure_ascii=False, sort_keys=True)


def _chunk(id_: str, text: str) -> Chunk:
    section = Section.from_record(json.loads(text))
    return Chunk(id_, section.note, section.heading, section.text, section.start, section.end)


def _versions(folder: Path) -> list[int]:
    names = (path.name for path in folder.glob("v*"))
    return sorted(int(name[1:]) for name in names if name[1:].isdigit())


def _open(folder: Path, name: str, create: bool) -> Any:
    import chromadb
    from chromadb.config import Settings
    from chromadb.errors import ChromaError

    if not create and not (folder / "chroma.sqlite3").exists():
        raise ToolkitError(f"{folder} is missing.", _rebuild(name))
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(anonymized_telemetry=False)
    try:
        client = chromadb.PersistentClient(path=str(folder), settings=settings)
        if create:
            return client.create_collection(
                name, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
            )
        return client.get_collection(name, embedding_function=None)
    except ChromaError as error:
        raise ToolkitError(f"{folder} cannot be opened: {error}.", _rebuild(name)) from None


def _rebuild(name: str) -> str:
    return f"Build it anew: RAG/2_embed_and_store.py --collection {name} --rebuild"


def _replace(file: Path, text: str) -> None:
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    with scratch.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    scratch.replace(file)
