"""What turns were given: recalled by the longest known beginning, bounded, safe on disk."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from scifi_llm.rag.proxy import memory as module
from scifi_llm.rag.proxy.memory import Lore, Memory

A = Lore("lore a", ("novel/1",), ({"path": "a.md", "why": "name"},))
B = Lore("lore b é \ud800", ("novel/2", "novel/3"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "turns.sqlite3"


def test_the_longest_known_beginning_counts(file: Path) -> None:
    memory = Memory(file)
    memory.remember("k1", (A,))
    memory.remember("k2", (A, None))
    memory.remember("k3", (None, None, B))
    assert memory.recall(["k1"]) == ((A,), True)
    assert memory.recall(["k1", "other"]) == ((A, None), False)
    assert memory.recall(["k1", "k2", "k3", "new"]) == ((None, None, B, None), False)
    assert memory.recall(["x", "k2"]) == ((A, None), True)
    assert memory.recall(["x"]) == ((None,), False)
    assert memory.recall([]) == ((), False)


def test_a_restart_and_a_second_process_know_the_same(file: Path) -> None:
    first, second = Memory(file), Memory(file)
    first.remember("k1", (A,))
    assert second.recall(["k1"]) == ((A,), True)
    second.remember("k2", (A, B))
    first.close()
    assert Memory(file).recall(["k1", "k2"]) == ((A, B), True)
    assert first.recall(["k1"]) == ((A,), True)  # what the process holds outlives its file


def test_only_the_owner_may_read_it_and_no_message_is_in_it(file: Path) -> None:
    Memory(file).remember("k1", (A,))
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    tables = sqlite3.connect(file).execute("SELECT key, plan FROM turns").fetchall()
    assert tables == [("k1", A.id)]


@pytest.mark.parametrize(
    "content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_file_starts_empty_with_a_warning(
    file: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    memory = Memory(file)
    assert "is damaged" in capsys.readouterr().err
    memory.remember("k1", (A,))
    assert Memory(file).recall(["k1"]) == ((A,), True)


def test_another_programs_database_is_replaced(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE turns (x INT)")
    memory = Memory(file)
    assert "is damaged" in capsys.readouterr().err
    memory.remember("k1", (A,))
    assert Memory(file).recall(["k1"]) == ((A,), True)


def test_a_record_that_is_no_json_counts_as_nothing(file: Path) -> None:
    Memory(file).remember("k1", (A,))
    with sqlite3.connect(file) as database:
        database.execute("UPDATE lore SET record = '{'")
    assert Memory(file).recall(["k1"]) == ((None,), True)


def test_without_a_place_to_write_the_process_remembers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("a file, no folder")
    memory = Memory(tmp_path / "state" / "turns.sqlite3")
    assert "cannot be used" in capsys.readouterr().err
    memory.remember("k1", (A,))
    assert memory.recall(["k1"]) == ((A,), True)


def test_a_locked_file_delays_nothing_and_heals(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    memory = Memory(file)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    memory.remember("k1", (A,))
    assert memory.recall(["k1"]) == ((A,), True)
    other.execute("COMMIT")
    memory.remember("k2", (A, B))
    assert Memory(file).recall(["k1", "k2"]) == ((A, B), True)


def test_the_least_recently_used_is_forgotten(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", 10)
    monkeypatch.setattr(module, "MAX_RECORDS", 20)
    monkeypatch.setattr(module, "MAX_LORE_BYTES", 1500)
    monkeypatch.setattr(module, "PRUNE_EVERY", 5)
    memory = Memory(file)
    for i in range(100):
        memory.remember(f"k{i}", (Lore(f"{i} " + 100 * "x"),))
        memory.recall(["k0"])
    assert memory.recall(["k0"])[1]  # used all the time
    assert not memory.recall(["k5"])[1]
    assert memory.recall(["k99"])[1]
    database = sqlite3.connect(file)
    assert database.execute("SELECT COUNT(*) FROM turns").fetchone()[0] <= 20
    assert database.execute("SELECT SUM(size) FROM lore").fetchone()[0] <= 1500
    assert len(memory._turns) <= 10


def test_the_process_holds_little_lore_and_reads_the_rest_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LORE_IN_MEMORY", 3)
    memory = Memory(file)
    told = tuple(Lore(f"lore {n}") for n in range(9))
    for n in range(9):
        memory.remember(f"k{n}", told[: n + 1])
        assert len(memory._lore) <= 3
    assert memory.recall(["k8"]) == ((None,), False)
    assert memory.recall([f"k{n}" for n in range(9)]) == (told, True)
    assert len(memory._lore) <= 3


def test_two_proxies_write_at_once(file: Path) -> None:
    ours = [Memory(file), Memory(file)]

    def write(which: int) -> None:
        for i in range(100):
            ours[which].remember(f"{which}-{i}", (A, B) if i % 2 else (None, A))

    threads = [threading.Thread(target=write, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh = Memory(file)
    for which in (0, 1):
        assert fresh.recall(["x", f"{which}-99"]) == ((A, B), True)
        assert fresh.recall(["x", f"{which}-98"]) == ((None, A), True)
