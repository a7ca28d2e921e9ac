"""Chroma's clients: a database in a folder, or the server of CHROMA_URL; their errors as ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ...errors import ToolkitError
from .manifest import Manifest, rebuild

_CHROMA_FIX = "Start it (chroma run --path DIR --port 8002) or unset CHROMA_URL."


@contextmanager
def connect(folder: Path, entry: Manifest) -> Iterator[Any]:
    """A client for a version's store: the database in `folder`, or the server it names."""
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    if entry.server:
        client = _http(entry.server, settings)
    else:
        client = chromadb.PersistentClient(path=str(folder), settings=settings)
    with client:  # closed, so that nothing of it is served from a cache later
        yield client


def _http(address: str, settings: Any) -> Any:
    import chromadb

    try:
        url = urlsplit(address)
        port = url.port or (443 if url.scheme == "https" else 80)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ToolkitError(f"CHROMA_URL={address} is no address.", _CHROMA_FIX)
        return chromadb.HttpClient(url.hostname, port, ssl=url.scheme == "https", settings=settings)
    except ValueError as error:  # chromadb's own word for a server that is not there
        raise ToolkitError(f"No Chroma server at {address}: {error}", _CHROMA_FIX) from None


@contextmanager
def errors(folder: Path, entry: Manifest, writing: bool = False) -> Iterator[None]:
    """Chroma's errors as ours: a full disk, a damaged database, a server that went away."""
    try:
        yield
    except Exception as error:
        ours = _ours(error, folder, entry, writing)
        if ours is None:
            raise
        raise ours from None


def _ours(error: Exception, folder: Path, entry: Manifest, writing: bool) -> ToolkitError | None:
    import httpx  # here: Chroma takes a second to import, and a writer does it in its thread
    from chromadb.errors import ChromaError

    if isinstance(error, httpx.HTTPError):
        return ToolkitError(f"The Chroma server at {entry.server} failed: {error}.", _CHROMA_FIX)
    if not isinstance(error, ChromaError):
        return None
    if entry.server:
        return ToolkitError(f"Chroma at {entry.server}: {error}.", _CHROMA_FIX)
    free = shutil.disk_usage(folder.parent).free // 1_000_000
    again = f"Check the disk (see: df -h {folder.parent}) and run the same command again."
    return ToolkitError(
        f"Chroma failed in {folder} ({error}); {free} MB are free there.",
        again if writing else rebuild(entry.name),
    )


def stored_name(entry: Manifest) -> str:
    """Name of the collection that holds a version: a server holds all versions side by side."""
    return f"{entry.name}-v{entry.version}" if entry.server else entry.name


def server_versions(entry: Manifest, home: str) -> dict[int, bool]:
    """Version to whether it was written from `home`, of a collection on its server."""
    with errors(Path(), entry), connect(Path(), entry) as client:
        found = {}
        for collection in client.list_collections():
            name, _, number = collection.name.rpartition("-v")
            if name == entry.name and number.isdigit():
                found[int(number)] = (collection.metadata or {}).get("home") == home
    return found


def remove_from_server(entry: Manifest, versions: Iterable[int]) -> None:
    """Take versions of a collection off its server."""
    with errors(Path(), entry), connect(Path(), entry) as client:
        for version in versions:
            client.delete_collection(stored_name(replace(entry, version=version)))
