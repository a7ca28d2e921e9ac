"""Publication under kills, readers, full disks and servers: old or new, never a mixture."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.rag import store
from scifi_llm.rag.store import client, database

SRC = Path(__file__).resolve().parents[3] / "src"
# A writer's side of these tests, shared with its own processes.
WRITER = """
import numpy as np, sys
from pathlib import Path
from scifi_llm.documents import Note
from scifi_llm.rag import store
from scifi_llm.rag.chunking import Chunk
from scifi_llm.rag.store import client, database, memory
import chromadb, httpx

def contents(version, size=60):
    # Half of the chunks say which version they are; a mixture would show.
    chunks = [
        Chunk(f"{i}-{version if i % 2 else 0}", Note(path="a.md", title="A"), (),
              f"text {i} of {version if i % 2 else 0}", i * 100, i * 100 + version)
        for i in range(size)
    ]
    vectors = np.random.default_rng(version).normal(size=(size, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return store.Contents(chunks, vectors, {"a.md": str(version)})

def arriving(whole, into):
    # Vectors as an embedding model gives them: one by one, in an order of their lengths.
    for row in np.random.default_rng(1).permutation(len(whole.chunks)).tolist():
        into[row] = whole.vectors[row]
        yield row

def publish(root, version, server="", size=60):
    entry = store.Manifest("novel", "m", 8, "data", str(version), server=server)
    with store.writing(root, "novel"):
        present = store.manifest_or_none(root, "novel")
        previous = store.Collection(root, present) if present and version % 3 else None
        whole = contents(version, size)
        filled = store.Contents(whole.chunks, np.zeros_like(whole.vectors), whole.hashes)
        return store.publish(root, entry, filled, previous, arriving(whole, filled.vectors))

def version_of(contents):
    # The one version that everything here is of.
    ends = {chunk.end - chunk.start for chunk in contents.chunks}
    names = {int(chunk.text.rsplit(" ", 1)[1]) for chunk in contents.chunks} - {0}
    assert ends == names == {int(contents.hashes["a.md"])}, (ends, names, contents.hashes)
    return ends.pop()
"""
scope: dict[str, object] = {}
exec(compile(WRITER, "writer", "exec"), scope)


def run(code: str, *arguments: object, **kwargs: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER + code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,  # type: ignore[call-overload]
    )


def read(root: Path) -> int:
    """The version that a reader sees now."""
    collection = store.Collection(root, store.require(root, "novel"))
    return scope["version_of"](collection.version.contents)  # type: ignore[operator, no-any-return]


KILLED = """
import os, random, signal, time
root = Path(sys.argv[1])
publish_here = lambda version: (os.fork() or (publish(root, version), os._exit(0)))
publish_child = publish_here(1); os.waitpid(publish_child, 0)
dice, last, seen = random.Random(), 1, {"old": 0, "new": 0}
for attempt in range(2, 32):
    child = os.fork()
    if not child:
        publish(root, attempt)
        os._exit(0)
    time.sleep(dice.uniform(0.0, 0.25))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    collection = store.Collection(root, store.require(root, "novel"))
    found = version_of(collection.version.contents)
    assert found in (last, attempt), (found, last, attempt)
    seen["new" if found == attempt else "old"] += 1
    last = found
    checker = os.fork()  # Chroma itself, in a process that can be thrown away
    if not checker:
        stored = database.read(collection.version.folder, collection.manifest)
        os._exit(0 if version_of(stored) == found else 1)
    assert os.waitpid(checker, 0)[1] == 0, "Chroma holds something else"
print(seen)
"""


def test_kill_9_while_publishing_leaves_the_old_or_the_new_version(tmp_path: Path) -> None:
    process = run(KILLED, tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "'old'" in out
    assert len(list((tmp_path / "novel").glob("v*"))) <= 3


def test_a_reader_beside_a_writer_sees_whole_versions(tmp_path: Path) -> None:
    code = "\nfor number in range(1, 26): publish(Path(sys.argv[1]), number)\n"
    process = run(code, tmp_path)
    seen = []
    while process.poll() is None:
        if (tmp_path / "novel" / "current.json").exists():
            seen.append(read(tmp_path))
    assert process.communicate()[1] == ""
    assert read(tmp_path) == 25
    assert seen == sorted(seen)
    assert len(set(seen)) > 3


def limited() -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_disk_that_takes_no_more_leaves_the_old_version(tmp_path: Path) -> None:
    code = """
from scifi_llm.console import run_main
sys.exit(run_main(lambda: publish(Path(sys.argv[1]), int(sys.argv[2]), "", 3000) and 0))
"""
    assert run(code, tmp_path, 3).wait() == 0
    process = run(code, tmp_path, 6, preexec_fn=limited)
    out, err = process.communicate()
    assert (process.returncode, out) == (1, "")
    assert err.startswith("[ERROR] ")
    assert "Traceback" not in err
    assert "df -h" in err
    assert read(tmp_path) == 3
    assert [path.name for path in (tmp_path / "novel").glob("v*")] == ["v1"]


def test_ctrl_c_among_the_vectors_leaves_the_old_version(tmp_path: Path) -> None:
    code = """
import threading
assert publish(Path(sys.argv[1]), 3)
given = iter(range(1200))
def arriving(whole, into):
    yield from given
    raise KeyboardInterrupt
try:
    publish(Path(sys.argv[1]), 6, "", 3000)
except KeyboardInterrupt:
    print(threading.active_count(), next(given, "all"))
"""
    out, err = run(code, tmp_path).communicate()
    assert (out, err) == ("1 all\n", "")
    assert read(tmp_path) == 3
    assert [path.name for path in (tmp_path / "novel").glob("v*")] == ["v1"]


def test_a_store_that_keeps_up_with_the_model_has_nothing_left_to_wait_for(tmp_path: Path) -> None:
    code = """
import time
def arriving(whole, into):
    # Batches of 500: the last row completes one, and all are stored before the next is asked for.
    for row in range(len(whole.chunks)):
        into[row] = whole.vectors[row]
        yield row
        if row % 500 == 499:
            time.sleep(1)
from scifi_llm.rag.store import writer
submit = writer.ThreadPoolExecutor.submit
def slowly(self, *arguments):
    job = submit(self, *arguments)
    time.sleep(0.2)
    return job
writer.ThreadPoolExecutor.submit = slowly
publish(Path(sys.argv[1]), 1, "", 1000)
"""
    out, err = run(code, tmp_path).communicate()
    assert (out, err) == ("", "")
    assert read(tmp_path) == 1


def test_a_server_that_fails_is_told_before_all_is_embedded(tmp_path: Path) -> None:
    code = """
import time
from scifi_llm.errors import ToolkitError
given = iter(range(100000))
def arriving(whole, into):
    for row in given:
        time.sleep(0.0001)
        yield row
try:
    publish(Path(sys.argv[1]), 1, "http://127.0.0.1:9", 100000)
except ToolkitError as error:
    print(error.problem.partition(":")[0], next(given) < 90000)
"""
    out, err = run(code, tmp_path).communicate()
    assert (out, err) == ("No Chroma server at http True\n", "")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    import chromadb

    # The environment of the tests sees the packages of another: its programs are there.
    program = Path(chromadb.__file__).resolve().parents[4] / "bin" / "chroma"
    command = [program, "run", "--path", tmp_path / "srv", "--host", "127.0.0.1", "--port", port]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


def test_a_server_holds_versions_side_by_side(tmp_path: Path, server: str) -> None:
    publish, version_of = scope["publish"], scope["version_of"]
    for number in (1, 2, 4):
        entry = publish(tmp_path, number, server)  # type: ignore[operator]
    assert entry.server == server
    collection = store.Collection(tmp_path, entry)
    stored = database.read(collection.version.folder, entry)
    assert version_of(stored) == read(tmp_path) == 4  # type: ignore[operator]
    assert sorted(client.server_versions(entry, str(tmp_path / "novel"))) == [2, 3]
    # Without the copy in memory, the server is asked.
    (collection.version.folder / "memory.json").unlink()
    assert read(tmp_path) == 4
    # Another home on the same server takes numbers of its own and removes none of ours.
    other = publish(tmp_path / "other", 7, server)  # type: ignore[operator]
    assert other.version == 4
    assert version_of(database.read(collection.version.folder, entry)) == 4  # type: ignore[operator]


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    publish = scope["publish"]
    publish(tmp_path, 1)  # type: ignore[operator]
    with pytest.raises(ToolkitError) as caught:
        publish(tmp_path, 2, "http://127.0.0.1:9")  # type: ignore[operator]
    assert caught.value.problem.startswith("No Chroma server at http://127.0.0.1:9: ")
    assert "unset CHROMA_URL" in caught.value.fix
    with pytest.raises(ToolkitError, match="CHROMA_URL=ftp://x is no address"):
        publish(tmp_path, 2, "ftp://x")  # type: ignore[operator]
    assert read(tmp_path) == 1
