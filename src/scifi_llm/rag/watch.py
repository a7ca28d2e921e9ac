"""Re-index the notes when they change, while the proxy goes on answering.

The folder is looked at, not subscribed to: notes often lie on a Windows drive or a network share,
where the kernel tells nobody of changes. The pause between two looks grows with what a look costs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path

from ..console import log_ok, log_warn
from ..documents import Section, file_of, note_files, read_folder
from ..errors import ToolkitError
from ..paths import chunks_dir, data_dir
from . import index, ingest

State = tuple[tuple[str, int, int, int], ...]
Snapshot = dict[str, State]
LOOK_SECONDS = 1.0
MAX_SHARE = 0.05  # of one core's time, for looking
QUIET_LOOKS = 2  # so many looks alike mean that nobody is saving now
PATIENCE_LOOKS = 30  # an editor that saves without pause is not waited for longer than this


def snapshot(folder: Path) -> Snapshot:
    """Path, relative to `folder`, to the state of every note: equal states are equal notes.

    A state is (modification time, size, inode), for a Scrivener project those of all its files.
    """
    found = {}
    for file in note_files(folder):
        inside = sorted(file.rglob("*")) if file.is_dir() else [file]
        found[file.relative_to(folder).as_posix()] = tuple(map(_state, inside))
    return found


def _state(file: Path) -> tuple[str, int, int, int]:
    try:
        state = file.stat()
    except OSError:  # deleted between the listing and the look
        return file.name, 0, 0, 0
    return file.name, state.st_mtime_ns, state.st_size, state.st_ino


class Debounce:
    """Tells when to build: once for a burst of saves, after it is over. Pure.

    `done` is the snapshot that the collection was last built from.
    """

    def __init__(self, done: Snapshot | None = None) -> None:
        self.done = done
        self._last: Snapshot | None = None
        self._alike = self._waited = 0

    def due(self, now: Snapshot) -> bool:
        """Is it time to build from what this look saw?"""
        if now == self.done:
            self._last, self._alike, self._waited = None, 0, 0
            return False
        if now != self._last:
            self._alike, self._waited = 0, max(self._waited, 0)
        self._last = now
        self._alike += 1
        self._waited += 1
        return self._alike >= QUIET_LOOKS or self._waited >= PATIENCE_LOOKS

    def built(self, now: Snapshot) -> None:
        """What was due is done."""
        self.done = now
        self._last, self._alike, self._waited = None, 0, 0

    def failed(self, now: Snapshot) -> None:
        """What was due went wrong: it is due again after the next change, or after a long wait."""
        self._last, self._alike, self._waited = now, -PATIENCE_LOOKS, -PATIENCE_LOOKS


def merge(
    old: list[Section], new: list[Section], kept: Set[str], order: Sequence[str]
) -> list[Section]:
    """The new sections and the old ones of `kept` files, in the order of their files. Pure.

    Sections of one file keep their order: the same notes give the same list, however it came about.
    """
    place = {path: i for i, path in enumerate(order)}
    still = [
        section
        for section in old
        if file_of(section.note.path) in kept or section.note.path in kept
    ]
    return sorted([*new, *still], key=lambda s: place.get(file_of(s.note.path), len(place)))


def refresh(
    folder: Path, chunks: Path, root: Path, collection: str, unchanged: Set[str] = frozenset()
) -> bool:
    """Bring sections and collection up to date with the folder; True where something was written.

    Files named in `unchanged` are not read again. What cannot be read now stays as it was: a note
    with a half-typed front matter does not leave the canon. Raises ToolkitError where the folder
    holds no notes any more: a drive that is gone empties no canon.
    """
    try:
        source, old = ingest.read_sections(chunks)
    except ToolkitError:
        source, old = "", []
    if source != "data":
        old, unchanged = [], frozenset()
    order = [file.relative_to(folder).as_posix() for file in note_files(folder)]
    reading = read_folder(
        folder,
        lambda files: [f for f in files if f.relative_to(folder).as_posix() not in unchanged],
    )
    ingest.report(reading)
    kept = (unchanged & set(order)) | {path for path, _ in reading.bad}
    sections = merge(old, reading.sections, kept, order)
    if not sections:
        raise ToolkitError(
            f"{folder} holds no notes now; the collection stays as it is.",
            "Put them back, or stop the proxy and run: RAG/1_ingest.py",
        )
    ingest.write_sections(ingest.sections_file(chunks), "data", sections)
    return index.build(chunks, root, None, collection, rebuild=False)


def check(folder: Path, chunks: Path) -> None:
    """Raise ToolkitError where watching `folder` would replace the canon of another folder."""
    if not folder.is_dir():
        raise ToolkitError(f"{folder} is not a folder.", "Name your notes: --watch DIR")
    try:
        source, sections = ingest.read_sections(chunks)
    except ToolkitError:
        return
    known = {file_of(section.note.path) for section in sections}
    there = {file.relative_to(folder).as_posix() for file in note_files(folder)}
    if source == "data" and known and not known & there:
        raise ToolkitError(
            f"{folder} holds none of the notes that the collection was made from.",
            "Name their folder: --watch DIR",
        )


def unchanged(before: Snapshot | None, now: Snapshot) -> frozenset[str]:
    """The paths whose state is the same in both."""
    return frozenset(path for path in now if before and before.get(path) == now[path])


def notes_folder(named: str) -> Path:
    """The folder to watch: the one that was named, "" for the author's own, made if need be.

    Raises ToolkitError where it cannot be the one that the sections came from.
    """
    folder = Path(named).expanduser().resolve() if named else data_dir()
    if not named:
        folder.mkdir(parents=True, exist_ok=True)
    check(folder, chunks_dir())
    return folder


class Watcher:
    """Watches `folder` in a thread and calls `build` after each burst of changes.

    `build` is given the paths of the notes that are as they were when it last succeeded.
    """

    def __init__(
        self, folder: Path, build: Callable[[Set[str]], object], look: float = LOOK_SECONDS
    ) -> None:
        self.folder = folder
        self.look = look  # seconds between two looks at the folder
        self.build = build
        self._warned = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin; what changed while nobody watched is caught up with first."""
        self._thread.start()

    def stop(self) -> None:
        """End; a build that has begun is not waited for: a version is published whole or not."""
        self._stop.set()

    def _run(self) -> None:
        debounce = Debounce()
        pause = 0.0
        while not self._stop.wait(pause):
            started = time.monotonic()
            now = snapshot(self.folder)
            pause = max(self.look, (time.monotonic() - started) / MAX_SHARE)
            # An empty folder is nothing to build from, and no reason to warn every second.
            if now and debounce.due(now):
                if self._build(unchanged(debounce.done, now)):
                    debounce.built(now)
                else:
                    debounce.failed(now)

    def _build(self, same: Set[str]) -> bool:
        try:
            self.build(same)
        except ToolkitError as error:
            self._warn(str(error))
        except Exception as error:  # noqa: BLE001 - answering goes on with the canon there is
            self._warn(f"{type(error).__name__}: {error}")
        else:
            self._warned = ""
            return True
        return False

    def _warn(self, reason: str) -> None:
        if reason != self._warned:
            log_warn(f"The notes are not indexed: {reason}")
        self._warned = reason


def start(folder: Path, chunks: Path, root: Path, collection: str) -> Watcher:
    """Watch the notes of a collection until the process ends or `stop` is called."""
    watcher = Watcher(folder, lambda same: refresh(folder, chunks, root, collection, same))
    watcher.start()
    log_ok(f"Watching {folder}: what you save is found a few seconds later")
    return watcher
