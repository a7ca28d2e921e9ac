"""Step 2: sections to chunks, vectors and a published collection."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

from ..console import Parser, log_next, log_ok, log_test, log_warn
from ..documents import Note, Section
from ..errors import ToolkitError
from ..paths import chroma_dir, chunks_dir
from ..settings import setting
from . import chunking, embedding, store
from .chunking import Chunk
from .ingest import read_sections, sections_file
from .vectors import Vectors

# Small passages are found more surely and leave room for more of them; neighbours are joined again.
TARGET_TOKENS: int | None = 100


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


def settings() -> str:
    """What cuts depend on, apart from the model: part of a collection's digest."""
    return f"cuts {chunking.FORMAT}, at most {embedding.MAX_TOKENS} tokens, target {TARGET_TOKENS}"


def digest(sections: Path, model: str) -> str:
    """A hash of everything a collection is made from: equal digests are equal collections."""
    parts = f"{store.FORMAT} {model} {settings()} {setting('CHROMA_URL')}\n".encode()
    return hashlib.sha256(parts + sections.read_bytes()).hexdigest()


def file_hashes(sections: Iterable[Section]) -> dict[str, str]:
    """Path to a hash of all sections read from it, in document order."""
    found: dict[str, hashlib._Hash] = {}
    notes: dict[Note, bytes] = {}
    for section in sections:
        note = notes.setdefault(section.note, repr(section.note).encode("utf-8", "surrogatepass"))
        entry = found.setdefault(section.note.path, hashlib.sha256())
        place = f"{section.heading!r} {section.start} {section.end} {len(section.text)}\n"
        text = (place + section.text).encode("utf-8", "surrogatepass")
        entry.update(note + text)
    return {path: entry.hexdigest() for path, entry in found.items()}


def cut(
    sections: list[Section],
    hashes: dict[str, str],
    tokenizer: chunking.Tokenizer,
    previous: store.Collection | None,
) -> list[Chunk]:
    """Chunks in document order; those of unchanged files are taken from the present version."""
    chunks: dict[str, list[Chunk]] = {path: [] for path in hashes}
    kept: set[str] = set()
    if previous is not None and previous.manifest.settings == settings():
        kept = {path for path, value in hashes.items() if previous.hashes.get(path) == value}
        for id_ in previous.order:
            chunk = previous.chunks[id_]
            if chunk.note.path in kept:
                chunks[chunk.note.path].append(chunk)
    changed = [section for section in sections if section.note.path not in kept]
    for chunk in chunking.chunk_sections(changed, tokenizer, TARGET_TOKENS):
        chunks[chunk.note.path].append(chunk)
    return [chunk for part in chunks.values() for chunk in part]


def open_previous(
    present: store.Manifest | None, embedder: embedding.Embedder, root: Path
) -> store.Collection | None:
    """The present version, where its vectors are of this model.

    Raises ToolkitError where the model of that name now has another dimension.
    """
    if present is None or present.model != embedder.name:
        return None
    if present.dimension != embedder.dimension:
        raise ToolkitError(
            f"Collection {present.name!r} has {present.dimension} dimensions, its model "
            f"{embedder.dimension}.",
            store.rebuild(present.name),
        )
    try:
        return store.Collection(root, present)
    except ToolkitError as error:
        log_warn(f"{error.problem} Embedding everything anew.")
        return None


def describe(name: str, embedder: embedding.Embedder, source: str, digest: str) -> store.Manifest:
    """What is known of a version before it is published."""
    return store.Manifest(
        name=name,
        model=embedder.name,
        dimension=embedder.dimension,
        source=source,
        digest=digest,
        settings=settings(),
        backend=embedder.backend.name,
        server=setting("CHROMA_URL"),
    )


def build(chunks_folder: Path, root: Path, asked: str | None, name: str, rebuild: bool) -> bool:
    """Bring a collection up to date with the sections; True where something was written."""
    started = time.monotonic()
    source, sections = read_sections(chunks_folder)
    with store.writing(root, name):
        present = store.manifest_or_none(root, name)
        model = choose_model(asked, present, rebuild)
        wanted = digest(sections_file(chunks_folder), model)
        if present and present.digest == wanted and not rebuild:
            log_ok(f"Collection {name!r} is up to date: {present.chunks} chunks, {model}")
            return False
        log_test(f"Loading {model}")
        embedder = embedding.load(model, bulk=True)
        previous = None if rebuild else open_previous(present, embedder, root)
        hashes = file_hashes(sections)
        chunks = cut(sections, hashes, embedder.tokens, previous)
        if not chunks:
            raise ToolkitError("The sections hold no text.", "Write them with: RAG/1_ingest.py")
        if present and present.source == "example" and source != "example":
            log_warn(f"The example world has left collection {name!r}.")
        vectors = Vectors(chunks, embedder, previous, root / name)
        contents = store.Contents(chunks, vectors.array, hashes)
        entry = describe(name, embedder, source, wanted)
        entry = store.publish(root, entry, contents, previous, vectors.fill())
        vectors.published()
    log_ok(
        f"Collection {name!r}: {entry.chunks} chunks of {entry.files} files, "
        f"{vectors.computed} embedded with {model} ({entry.backend}, {entry.dimension} dimensions) "
        f"in {time.monotonic() - started:.1f} s"
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
