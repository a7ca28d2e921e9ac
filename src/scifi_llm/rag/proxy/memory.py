"""What each turn of a conversation was given, so that it is given the same bytes again.

A record belongs to a conversation up to one user turn, by its key, and says of each user turn in it
which lore stands in front of it. Lore is kept as the text that was sent: a changed canon does not
change what an earlier turn was told. No word of the author's messages is stored, only hashes.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from ...console import log_warn

T = TypeVar("T")
MAX_RECORDS = 20_000
MAX_LORE_BYTES = 64_000_000
IN_MEMORY = 2_000  # records held in the process itself
LORE_IN_MEMORY = 500  # pieces of lore, about 20 kB each; the file gives the others again
PRUNE_EVERY = 500
OPEN_SECONDS = 5.0  # two proxies that start together make the file one after the other
BUSY_SECONDS = 0.05  # another proxy writes to the same file for a millisecond
_TABLES = """
CREATE TABLE IF NOT EXISTS turns (key TEXT PRIMARY KEY, used REAL, plan TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lore (id TEXT PRIMARY KEY, used REAL, size INT, record TEXT);
CREATE INDEX IF NOT EXISTS turns_used ON turns (used);
CREATE INDEX IF NOT EXISTS lore_used ON lore (used);
"""


@dataclass(frozen=True)
class Lore:
    """A block as it was sent, the keys of its passages, its sources and its tokens."""

    text: str
    keys: tuple[str, ...] = ()
    sources: tuple[dict[str, Any], ...] = ()

    @cached_property
    def id(self) -> str:
        """Equal texts have equal ids."""
        return sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


Plan = tuple[Lore | None, ...]


class Memory:
    """Records by key, the least recently used forgotten first. `file` None keeps nothing on disk.

    Never fails: a file that cannot be used is told of once, and what is in the process serves on.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self._turns: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._lore: OrderedDict[str, Lore] = OrderedDict()
        self._saved: set[str] = set()  # lore that is in the file
        self._writes = 0
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None
        self._database = self._open(file) if file else None

    def recall(self, keys: Sequence[str]) -> tuple[Plan, bool]:
        """What the user turns with these keys were given, and whether the newest has a record.

        The record of the longest known beginning counts; turns beyond it were given nothing.
        """
        with self._lock:
            for known in range(len(keys), 0, -1):
                ids = self._turn(keys[known - 1])
                if ids is not None and len(ids) == known:
                    plan = tuple(self._piece(id_) if id_ else None for id_ in ids)
                    return (*plan, *[None] * (len(keys) - known)), known == len(keys)
            return (None,) * len(keys), False

    def remember(self, key: str, plan: Plan) -> None:
        """Record what each user turn of a conversation is given."""
        ids = tuple(piece.id if piece else "" for piece in plan)
        with self._lock:
            for piece in plan:
                if piece:
                    self._keep(self._lore, piece.id, piece, LORE_IN_MEMORY)
            if self._turns.get(key) == ids:
                self._turns.move_to_end(key)
                return
            self._keep(self._turns, key, ids, IN_MEMORY)
            self._attempt(lambda database: self._write(database, key, ids, plan))

    def close(self) -> None:
        """Close the file."""
        with self._lock, suppress(sqlite3.Error):
            database, self._database = self._database, None
            if database:
                database.close()

    def _turn(self, key: str) -> tuple[str, ...] | None:
        if key not in self._turns:
            row = self._row("turns", "plan", "key", key)
            if row is None:
                return None
            self._keep(self._turns, key, tuple(row.split(",")), IN_MEMORY)
        self._turns.move_to_end(key)
        return self._turns[key]

    def _piece(self, id_: str) -> Lore | None:
        if id_ not in self._lore:
            row = self._row("lore", "record", "id", id_)
            if row is None:
                return None
            try:
                record = json.loads(row)
                piece = Lore(record["text"], tuple(record["keys"]), tuple(record["sources"]))
            except (ValueError, KeyError, TypeError):
                return None
            self._keep(self._lore, id_, piece, LORE_IN_MEMORY)
        self._lore.move_to_end(id_)
        return self._lore[id_]

    @staticmethod
    def _keep(kept: OrderedDict[str, T], key: str, value: T, most: int) -> None:
        kept[key] = value
        kept.move_to_end(key)
        while len(kept) > most:
            kept.popitem(last=False)

    def _row(self, table: str, column: str, by: str, key: str) -> str | None:
        def read(database: sqlite3.Connection) -> str | None:
            row = database.execute(f"SELECT {column} FROM {table} WHERE {by} = ?", (key,))
            found = row.fetchone()
            if found:
                database.execute(f"UPDATE {table} SET used = ? WHERE {by} = ?", (time.time(), key))
            return found[0] if found else None

        return self._attempt(read)

    def _write(
        self, database: sqlite3.Connection, key: str, ids: tuple[str, ...], plan: Plan
    ) -> None:
        now = time.time()
        for piece in plan:
            if piece and piece.id not in self._saved:
                record = {"text": piece.text, "keys": piece.keys, "sources": piece.sources}
                text = json.dumps(record)
                row = (piece.id, now, len(text), text)
                database.execute("INSERT OR REPLACE INTO lore VALUES (?, ?, ?, ?)", row)
        used = [(now, id_) for id_ in set(ids) if id_]
        database.executemany("UPDATE lore SET used = ? WHERE id = ?", used)
        row_of_turn = (key, now, ",".join(ids))
        database.execute("INSERT OR REPLACE INTO turns VALUES (?, ?, ?)", row_of_turn)
        self._writes += 1
        if self._writes % PRUNE_EVERY == 0:
            prune(database)
            self._saved.clear()
        self._saved.update(id_ for _, id_ in used)

    def _attempt(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Run one transaction; a database that fails is given up for this process."""
        if self._database is None:
            return None
        try:
            with self._database:
                return work(self._database)
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                return None  # the copy in the process serves; the next write brings it to the file
            self._give_up(error)
        except sqlite3.Error as error:
            self._give_up(error)
        return None

    def _give_up(self, error: Exception) -> None:
        log_warn(f"{self.file} cannot be used ({error}); turns are remembered until the proxy ends")
        self.close()

    def _open(self, file: Path) -> sqlite3.Connection | None:
        try:
            return connect(file)
        except OSError as error:
            self._give_up(error)
            return None
        except sqlite3.DatabaseError as error:
            # "no such column": another program's database, as useless as a damaged one.
            if isinstance(error, sqlite3.OperationalError) and "no such" not in str(error):
                self._give_up(error)
                return None
            log_warn(f"{file} is damaged ({error}); starting with an empty one")
        try:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{file}{suffix}").unlink(missing_ok=True)
            return connect(file)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
            return None


def connect(file: Path) -> sqlite3.Connection:
    """Open or make the database, readable by its owner alone.

    Raises sqlite3.DatabaseError where it is damaged, OSError where it cannot be made.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600)
    file.chmod(0o600)
    database = sqlite3.connect(file, timeout=OPEN_SECONDS, check_same_thread=False)
    try:
        # A power cut may lose the last turns but not damage the file.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.executescript(_TABLES)
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its check failed")
        database.execute("SELECT key, used, plan FROM turns LIMIT 1")
        database.execute("SELECT id, used, size, record FROM lore LIMIT 1")
        database.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    except sqlite3.Error:
        database.close()
        raise
    return database


def prune(database: sqlite3.Connection) -> None:
    """Forget what was not used for longest, down to the limits of number and size."""
    database.execute(
        "DELETE FROM turns WHERE key IN (SELECT key FROM turns ORDER BY used DESC "
        "LIMIT -1 OFFSET ?)",
        (MAX_RECORDS,),
    )
    database.execute(
        "DELETE FROM lore WHERE id IN (SELECT id FROM (SELECT id, SUM(size) OVER "
        "(ORDER BY used DESC, id) AS total FROM lore) WHERE total > ?)",
        (MAX_LORE_BYTES,),
    )
