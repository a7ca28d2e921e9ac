"""Step 2: sections to chunks, vectors and a published collection."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..console import Parser, log_next, log_ok, log_test, log_warn
from ..errors import ToolkitError
from ..paths import chroma_dir, chunks_dir
from ..settings import setting
from . import embedding, store
from .chunking import Chunk, chunk_sections
from .ingest import read_sections, sections_file

if TYPE_CHECKING:
    import numpy as np


def choose_collection(name: str | None, root: Path) -> str:
    """The named collection, else the one written last, else the default of the toolkit."""
    if name:
        return store.check_name(name)
    known = store.collections(root)
    return known[0].name if known else setting("COLLECTION")


def choose_model(asked: str | None, present: store.Manifest | None, rebuild: bool) -> str:
    """The model to embed with: the one asked for, else the recorded one, else the default preset.

    Raises ToolkitError where it differs from the recorded one and no rebuild was asked for.
    """
    if asked is None and present:
        wanted = os.environ.get("EMBEDDING")
        if wanted and embedding.resolve(wanted) != present.model:
            log_warn(
                f"Collection {present.name!r} keeps {present.model}; for EMBEDDING={wanted}: "
                f"RAG/2_embed_and_store.py --collection {present.name} --model {wanted} --rebuild"
            )
        return present.model
    if asked is None:
        return embedding.choose(setting("EMBEDDING"))
    name = embedding.choose(asked)
    if present and name != present.model and not rebuild:
        raise ToolkitError(
            f"Collection {present.name!r} was embedded with {present.model}, not {name}.",
            f"Change the model with: RAG/2_embed_and_store.py --collection {present.name} "
            f"--model {asked} --rebuild",
        )
    return name


def digest(sections: Path, model: str) -> str:
    """A hash of everything a collection is made from: equal digests are equal collections."""
    parts = f"{store.FORMAT} {model} {embedding.MAX_TOKENS}\n".encode()
    return hashlib.sha256(parts + sections.read_bytes()).hexdigest()


def embed(
    chunks: list[Chunk], embedder: embedding.Embedder, known: dict[str, np.ndarray]
) -> tuple[np.ndarray, int]:
    """Vectors of shape (len(chunks), dimension), and how many were computed, not taken over."""
    import numpy as np

    new = [chunk for chunk in chunks if chunk.id not in known]
    fresh = embedder.encode_documents([chunk.embedded for chunk in new])
    by_id = {**known, **{chunk.id: fresh[i] for i, chunk in enumerate(new)}}
    return np.array([by_id[chunk.id] for chunk in chunks], dtype=np.float32), len(new)


def reusable(
    present: store.Manifest | None, model: str, root: Path, chunks: list[Chunk]
) -> dict[str, np.ndarray]:
    """Vectors of the present version for chunks whose embedded text is unchanged."""
    if present is None or present.model != model:
        return {}
    try:
        collection = store.Collection(root, present)
    except ToolkitError as error:
        log_warn(f"{error.problem} Embedding everything anew.")
        return {}
    same = {
        chunk.id
        for chunk in chunks
        if chunk.id in collection.chunks and collection.chunks[chunk.id].embedded == chunk.embedded
    }
    return {id_: collection.matrix[row] for id_, row in collection.rows.items() if id_ in same}


def build(chunks_folder: Path, root: Path, asked: str | None, name: str, rebuild: bool) -> bool:
    """Bring a collection up to date with the sections; True where something was written."""
    source, sections = read_sections(chunks_folder)
    with store.writing(root, name):
        present = store.manifest_or_none(root, name)
        model = choose_model(asked, present, rebuild)
        wanted = digest(sections_file(chunks_folder), model)
        if present and present.digest == wanted and not rebuild:
            log_ok(f"Collection {name!r} is up to date: {present.chunks} chunks, {model}")
            return False
        log_test(f"Loading {model}")
        embedder = embedding.load(model)
        chunks = chunk_sections(sections, embedder.count, embedder.max_tokens)
        if not chunks:
            raise ToolkitError("The sections hold no text.", "Write them with: RAG/1_ingest.py")
        if present and present.source == "example" and source != "example":
            log_warn(f"The example world has left collection {name!r}.")
        started = time.monotonic()
        known = {} if rebuild else reusable(present, model, root, chunks)
        vectors, computed = embed(chunks, embedder, known)
        files = len({chunk.note.path for chunk in chunks})
        entry = store.Manifest(
            name, 0, model, embedder.dimension, len(chunks), files, source, "", wanted
        )
        store.publish(root, entry, store.Contents(chunks, vectors))
    log_ok(
        f"Collection {name!r}: {len(chunks)} chunks of {files} files, {computed} embedded with "
        f"{model} ({embedder.dimension} dimensions) in {time.monotonic() - started:.1f} s"
    )
    return True


def main() -> int:
    """Entry of RAG/2_embed_and_store.py."""
    parser = Parser(
        prog="2_embed_and_store.py",
        description="Embed the sections of chunks/ and publish them as a Chroma collection.",
        epilog="example: ./2_embed_and_store.py --model balanced --collection scifi_world",
    )
    parser.add_argument("--chunks", type=Path, metavar="DIR", help="sections to read (RAG/chunks)")
    parser.add_argument(
        "--model", metavar="fast|balanced|quality|PATH", help="preset, folder or hub name"
    )
    parser.add_argument("--collection", metavar="NAME", help="default: the one written last")
    parser.add_argument("--rebuild", action="store_true", help="embed everything anew")
    options = parser.parse_args()
    root = chroma_dir()
    name = choose_collection(options.collection, root)
    build(options.chunks or chunks_dir(), root, options.model, name, options.rebuild)
    log_next(f'RAG/4_query.py "QUESTION" --collection {name}, or ./serve_rag_proxy.sh {name}')
    return 0
