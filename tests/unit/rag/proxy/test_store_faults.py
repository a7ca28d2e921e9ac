"""The author's answer comes whatever happens to the store, and the canon comes back with it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

Client = Callable[..., httpx.AsyncClient]
BODY = {"model": "small", "messages": [{"role": "user", "content": "Who repairs the sounders?"}]}


async def status(client: httpx.AsyncClient) -> str:
    """x-rag-status of an answer that must come."""
    response = await client.post("/v1/chat/completions", json=BODY)
    assert response.status_code == 200
    assert response.json()["choices"][0]["message"]["content"] == "Ok."
    found: str = response.headers["x-rag-status"]
    return found


def garbage(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(b"\x00garbage\xff" * 100)


def empty(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            file.write_bytes(b"")


@pytest.mark.parametrize("harm", [garbage, empty, shutil.rmtree])
async def test_a_harmed_store_stops_nothing_and_is_found_again(
    collection: Path, client: Client, tmp_path: Path, harm: Callable[[Path], Any]
) -> None:
    good = tmp_path / "good"
    shutil.copytree(collection, good)
    harm(collection)
    ours = client(retrieval_seconds=60)
    assert await status(ours) == "degraded"
    shutil.rmtree(collection, ignore_errors=True)
    shutil.copytree(good, collection)
    assert await status(ours) == "ok"


async def test_a_store_that_is_harmed_while_the_proxy_runs(
    collection: Path, client: Client
) -> None:
    ours = client(retrieval_seconds=60)
    assert await status(ours) == "ok"
    garbage(collection)
    assert await status(ours) in ("ok", "degraded")
    shutil.rmtree(collection)
    assert await status(ours) in ("ok", "degraded")


async def test_a_locked_store_stops_nothing(collection: Path, client: Client) -> None:
    locks = []
    for file in collection.rglob("*.sqlite3"):
        lock = sqlite3.connect(file, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        locks.append(lock)
    assert locks
    ours = client(retrieval_seconds=1)
    assert await status(ours) in ("ok", "degraded")
    for lock in locks:
        lock.close()
    assert await status(client(retrieval_seconds=60)) == "ok"


async def test_a_store_that_is_replaced(
    collection: Path, client: Client, build: Callable[..., bool]
) -> None:
    ours = client(retrieval_seconds=60)
    for _ in range(3):
        assert await status(ours) == "ok"
        assert build(rebuild=True)
    assert await status(ours) == "ok"
