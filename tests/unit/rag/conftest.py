"""A real embedding model and a small real collection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scifi_llm.documents import read_folder
from scifi_llm.paths import chroma_dir, chunks_dir
from scifi_llm.rag import embedding, index
from scifi_llm.rag.ingest import sections_file, write_sections

NOTES = {
    "characters/elena.md": "# Elena Ruhl\n\nElena Ruhl is patient and exact; she repairs sounders.",
    "characters/jonas.md": "---\nknown_by: [Elena Ruhl]\n---\n# Jonas\n\nJonas sells maps.",
    "plots/war.md": "---\nfrom_chapter: 3\n---\n# The war\n\nThe war begins when the ford opens.",
    "plots/peace.md": "---\nuntil_chapter: 2\n---\n# The peace\n\nPeace holds for now.",
    "chapters/chapter-01-dawn.md": "# Dawn\n\nThe ship leaves at dawn with Elena aboard.",
    "chapters/chapter-02-noon.md": "# Noon\n\nAt noon the crew argues about the missing water.",
}


@pytest.fixture
def notes() -> dict[str, str]:
    return dict(NOTES)


@pytest.fixture(scope="session")
def embedder() -> embedding.Embedder:
    return embedding.load(embedding.BUNDLED)


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[[dict[str, str]], None]:
    """Write notes into a folder of their own and their sections into chunks/."""

    def run(notes: dict[str, str], source: str = "data") -> None:
        folder = tmp_path / "notes"
        for file in folder.rglob("*.md"):
            file.unlink()
        for name, text in notes.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
        write_sections(sections_file(chunks_dir()), source, read_folder(folder).sections)

    return run


@pytest.fixture
def build() -> Callable[..., bool]:
    """Bring a collection up to date with chunks/."""

    def run(name: str = "novel", model: str | None = "fast", rebuild: bool = False) -> bool:
        return index.build(chunks_dir(), chroma_dir(), model, name, rebuild)

    return run


@pytest.fixture
def collection(ingest: Callable[[dict[str, str]], None], build: Callable[..., bool]) -> Path:
    """The folder of collections, holding `novel`."""
    ingest(NOTES)
    assert build()
    return chroma_dir()
