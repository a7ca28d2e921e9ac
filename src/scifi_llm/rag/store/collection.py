"""A published version, open for reading, and the publication of the next one."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import ToolkitError
from ..chunking import Chunk
from . import client, database, memory, writer
from .manifest import Manifest, manifest, manifest_or_none, point_to
from .memory import Contents
from .writer import Version

if TYPE_CHECKING:
    import numpy as np


class Collection:
    """One published version in memory, in document order.

    `order` holds the chunk ids, `chunks` id to chunk, `matrix` the vectors: shape (n, dimension),
    float32, unit length, row i for order[i]; `rows` id to row; `hashes` path to the hash of what
    was read from that file.
    """

    def __init__(self, root: Path, entry: Manifest) -> None:
        """Open `entry`, or what has replaced it meanwhile; `manifest` tells which.

        Raises ToolkitError where it is missing or damaged.
        """
        self.root = root
        self.manifest, contents = _open(root, entry)
        self.chunks: dict[str, Chunk] = {chunk.id: chunk for chunk in contents.chunks}
        self.order: list[str] = list(self.chunks)
        self.rows: dict[str, int] = {id_: row for row, id_ in enumerate(self.order)}
        self.matrix: np.ndarray = contents.vectors
        self.hashes: dict[str, str] = contents.hashes

    def nearest_in_store(self, vector: np.ndarray, limit: int) -> list[tuple[str, float]]:
        """`query` as the store of record answers it, by its approximate index."""
        return database.nearest(self.version.folder, self.manifest, vector.tolist(), limit)

    def query(
        self, vector: np.ndarray, limit: int, allowed: Sequence[str] | None = None
    ) -> list[tuple[str, float]]:
        """(chunk id, cosine similarity) of the `limit` nearest, best first; ties in document order.

        `allowed` keeps the ranking to those ids; None allows all.
        """
        import numpy as np

        rows = (
            np.arange(len(self.order))
            if allowed is None
            else np.sort(np.array([self.rows[id_] for id_ in allowed], dtype=np.intp))
        )
        limit = min(limit, len(rows))
        if limit < 1:
            return []
        scores = (self.matrix @ vector)[rows]
        # All that reach the limit's score, so that ties are cut in document order.
        least = np.partition(scores, -limit)[-limit]
        best = np.flatnonzero(scores >= least)
        best = best[np.argsort(-scores[best], kind="stable")][:limit]
        return [(self.order[rows[i]], float(scores[i])) for i in best]

    @property
    def version(self) -> Version:
        """What the next version can take over."""
        folder = self.root / self.manifest.name / f"v{self.manifest.version}"
        contents = Contents([self.chunks[id_] for id_ in self.order], self.matrix, self.hashes)
        return Version(folder, self.manifest, contents)


def _open(root: Path, entry: Manifest) -> tuple[Manifest, Contents]:
    while True:
        try:
            return entry, _load(root / entry.name / f"v{entry.version}", entry)
        except ToolkitError:
            # Two publications since `entry` was read have removed it: take the newest.
            newer = manifest(root, entry.name)
            if newer is None or newer.version == entry.version:
                raise
            entry = newer


def _load(folder: Path, entry: Manifest) -> Contents:
    contents = memory.read(folder, entry.chunks)
    if contents is None:
        contents = database.read(folder, entry)
        with contextlib.suppress(OSError):  # a full or read-only disk: it is only slower next time
            memory.write(folder, contents)
    return contents


def publish(
    root: Path,
    entry: Manifest,
    contents: Contents,
    previous: Collection | None = None,
    ready: Iterable[int] | None = None,
) -> Manifest:
    """Write a version and make it the one that counts. Call it inside `writing`.

    `previous` is the present version, opened: a small difference is applied to a copy of it.
    `ready` fills `contents.vectors` while it is iterated and yields the rows that are filled.
    Version, time and counts of `entry` are set here. Raises ToolkitError where it cannot be
    written; the old version then stays and nothing is left of the new one.
    """
    folder = root / entry.name
    version = _next_version(root, entry)
    target = folder / f"v{version}"
    entry = replace(
        entry,
        version=version,
        created=datetime.now(UTC).isoformat(timespec="microseconds"),
        chunks=len(contents.chunks),
        files=len({chunk.note.path for chunk in contents.chunks}),
    )
    old = previous.version if previous else None
    rows = range(len(contents.chunks)) if ready is None else ready
    try:
        target.mkdir()
        entry = replace(entry, patched=writer.write(target, entry, contents, old, rows))
        memory.write(target, contents)
        point_to(root, entry)
    except BaseException as error:
        # On a full disk what is half written would keep it full. Ctrl+C may come after the switch.
        if manifest_or_none(root, entry.name) != entry:
            shutil.rmtree(target, ignore_errors=True)
            if entry.server:
                with contextlib.suppress(ToolkitError):
                    client.remove_from_server(entry, [version])
        if isinstance(error, OSError):
            # A copy of many files raises an error without a number, and a list of its reasons.
            reason = error.strerror or "copying the present version failed"
            free = shutil.disk_usage(folder).free // 1_000_000
            raise ToolkitError(
                f"{target} cannot be written ({reason}); {free} MB are free there.",
                f"Free some disk space (see: df -h {folder}) and run the same command again.",
            ) from None
        raise
    return entry


def _next_version(root: Path, entry: Manifest) -> int:
    """A free number; what is older than the present version is removed first."""
    folder = root / entry.name
    current = manifest_or_none(root, entry.name)
    # A reader reads current.json before it opens a version: the last one must stay for a while.
    keep = {current.version} if current else set()
    _remove(folder, keep)
    taken = {0, *_versions(folder), *keep}
    if entry.server:
        there = client.server_versions(entry, str(folder))
        old = {version for version, ours in there.items() if ours} - keep
        client.remove_from_server(entry, old)
        taken |= set(there) - old
    return max(taken) + 1


def _versions(folder: Path) -> list[int]:
    names = (path.name for path in folder.glob("v*"))
    return sorted(int(name[1:]) for name in names if name[1:].isdigit())


def _remove(folder: Path, keep: set[int]) -> None:
    for version in _versions(folder):
        if version not in keep:
            # Renamed first: a reader that comes late finds nothing rather than a part of it.
            trash = folder / f".trash-{version}"
            with contextlib.suppress(OSError):
                (folder / f"v{version}").rename(trash)
    for trash in folder.glob(".trash-*"):
        shutil.rmtree(trash, ignore_errors=True)
