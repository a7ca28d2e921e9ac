"""Where everything lives. RAG_HOME moves all RAG state; VENVS_DIR moves the environments."""

from __future__ import annotations

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
EXAMPLE_WORLD = REPO / "examples" / "scifi_world"


def _folder(variable: str, default: Path) -> Path:
    value = os.environ.get(variable, "").strip()
    return Path(value).expanduser().resolve() if value else default


def rag_home() -> Path:
    """Folder of one book's RAG state: data/ chunks/ chroma_db/ and results."""
    return _folder("RAG_HOME", REPO / "RAG")


def data_dir() -> Path:
    """The author's notes."""
    return rag_home() / "data"


def chunks_dir() -> Path:
    """What ingest writes and embedding reads."""
    return rag_home() / "chunks"


def chroma_dir() -> Path:
    """The collections."""
    return rag_home() / "chroma_db"


def query_results_dir() -> Path:
    """Logs of 4_query.py; below benchmarks/ in the default home, as the layout has it."""
    return _results() / "query_results"


def test_results_dir() -> Path:
    """Logs and plots of 3_test_retrieval.py."""
    return _results() / "test_results"


def _results() -> Path:
    home = rag_home()
    return home / "benchmarks" if home == REPO / "RAG" else home


def venvs_dir() -> Path:
    """Folder of the virtual environments."""
    return _folder("VENVS_DIR", Path.home() / ".venvs")


def model_cache() -> Path:
    """Folder of models that the toolkit itself converted."""
    return _folder("SCIFI_LLM_CACHE", Path.home() / ".cache" / "scifi-llm")
