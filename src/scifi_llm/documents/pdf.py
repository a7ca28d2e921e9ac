"""PDF to text by pypdf, in a process of its own: a hostile file ends that, not the ingest."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from ..errors import ToolkitError
from .text import Document, TextBuilder

SECONDS = 120
MEMORY = 2_000_000_000  # bytes of the process
MAX_PAGES = 5_000
_SOURCES = Path(__file__).resolve().parents[2]
_CODE = f"import sys; sys.path.insert(0, {str(_SOURCES)!r}); from {__name__} import main; main()"


def parse_pdf(data: bytes) -> Document:
    """The text of a PDF's pages.

    Raises ToolkitError where it is damaged, encrypted, too large, or holds only pictures.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CODE],
            input=data,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ToolkitError(f"its pages were not read in {SECONDS} s") from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise ToolkitError("its pages cannot be read in 2 GB of memory") from None
    if "problem" in answer:
        raise ToolkitError(answer["problem"])
    if not any(page.strip() for page in answer["pages"]):
        raise ToolkitError(
            "it holds pictures and no text (make a text layer with: ocrmypdf OLD NEW)"
        )
    out = TextBuilder()
    for page in answer["pages"]:
        out.write(_joined(page))
        out.end_paragraph()
    return out.document()


def _joined(page: str) -> str:
    """The page's text with the words whole that were cut at a line's end."""
    return re.sub(r"(?<=[a-zà-ÿ])[-\u00ad]\n(?=[a-zà-ÿ])", "", page)


def main() -> None:
    """Read a PDF from stdin, print {"pages": […]} or {"problem": …} as JSON."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        answer = _read(sys.stdin.buffer)
    except ToolkitError as error:
        answer = {"problem": error.problem}
    print(json.dumps(answer))


def _read(stream: object) -> dict[str, object]:
    import io

    try:
        import pypdf
    except ImportError:
        raise ToolkitError("pypdf is not installed (run: RAG/0_create_venv_with_deps.sh)") from None
    try:
        reader = pypdf.PdfReader(io.BytesIO(stream.read()))  # type: ignore[attr-defined]
        # Many files are encrypted only against printing: their password is empty.
        if reader.is_encrypted and not reader.decrypt(""):
            raise ToolkitError("it is encrypted (save a copy without a password)")
        if len(reader.pages) > MAX_PAGES:
            raise ToolkitError(f"it has {len(reader.pages)} pages; {MAX_PAGES} are allowed")
        pages = [page.extract_text() for page in reader.pages]
        return {"pages": pages}  # the title in its metadata is mostly "Microsoft Word - x.docx"
    except (ToolkitError, MemoryError):
        raise
    except pypdf.errors.DependencyError:
        raise ToolkitError("it is encrypted (save a copy without a password)") from None
    except Exception as error:  # noqa: BLE001 - pypdf raises whatever a damaged file leads to
        reason = str(error).splitlines() or [type(error).__name__]
        raise ToolkitError(f"it is damaged ({reason[0][:120]})") from None
