"""docx, odt, epub and html to text, by the pandoc that the package pypandoc_binary brings.

pandoc's JSON tree is walked here instead of its Markdown: that escapes the author's own
asterisks and brackets, which then match no search.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import zipfile
import zlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import ToolkitError
from .text import Document, TextBuilder

MAX_UNPACKED = 100_000_000  # bytes of text in an archive; its pictures are never unpacked
MAX_MEMBERS = 20_000
SECONDS = 120
MEMORY = "1g"  # of pandoc's heap; the tree of 1.6 million words takes 1.2 GB
_READ = (".xml", ".rels", ".html", ".xhtml", ".htm", ".opf", ".ncx", "mimetype")
_VANISH = re.compile(rb"""<w:vanish(?:\s+w:val=["'](?:1|true|on)["'])?\s*/>""")
_HEAP_EXHAUSTED = 251


def convert(data: bytes, format_: str) -> Document:
    """The document as pandoc reads it as `format_` (docx, odt, epub, html; UTF-8).

    Raises ToolkitError where it is damaged, or larger than the limits.
    """
    if format_ != "html":
        data = clean_archive(data)
    tree = json.loads(_pandoc(data, format_), strict=False)
    writer = _Writer()
    meta = {key: writer.inlines_of(value) for key, value in tree["meta"].items()}
    for key in ("subtitle", "author", "abstract"):  # a page's text that pandoc takes for data
        if format_ in ("docx", "odt") and meta.get(key):
            writer.out.write(meta[key])
            writer.out.end_paragraph()
    try:
        writer.blocks(tree["blocks"])
    except RecursionError:
        raise ToolkitError("it is nested too deep") from None
    return writer.out.document(" ".join(meta.get("title", "").split()))


def _pandoc(data: bytes, format_: str) -> bytes:
    command = [str(_program()), "+RTS", f"-M{MEMORY}", "-RTS", "--sandbox", f"--from={format_}",
               "--to=json"]  # fmt: skip
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ToolkitError(f"pandoc did not finish it in {SECONDS} s") from None
    if done.returncode == _HEAP_EXHAUSTED:
        raise ToolkitError(f"pandoc needs more than {MEMORY} of memory for it")
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise ToolkitError(f"pandoc cannot read it ({lines[0][:120]})")
    return done.stdout


def _program() -> Path:
    # Not pypandoc.get_pandoc_path(): that takes any pandoc of the system, old ones too.
    package = find_spec("pypandoc")
    program = Path(package.origin or "").parent / "files" / "pandoc" if package else Path()
    if not program.is_file():
        raise ToolkitError("pandoc is not installed (run: RAG/0_create_venv_with_deps.sh)")
    return program


def clean_archive(data: bytes) -> bytes:
    """A zip archive with the text of another, made anew: what it declares is what it holds.

    Raises ToolkitError where the archive is damaged, encrypted or a bomb.
    """
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ToolkitError("it is encrypted, or of a format older than its name says")
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            wanted = [info for info in old.infolist() if info.filename.lower().endswith(_READ)]
            if "META-INF/rights.xml" in old.namelist():
                raise ToolkitError("it is locked by its shop (DRM)")
            size = sum(info.file_size for info in wanted)
            if size > MAX_UNPACKED or len(wanted) > MAX_MEMBERS:
                raise ToolkitError(
                    f"it unpacks to {size // 10**6} MB in {len(wanted)} parts; "
                    f"{MAX_UNPACKED // 10**6} MB are allowed"
                )
            for info in wanted:
                if info.flag_bits & 1:
                    raise ToolkitError("it is encrypted")
                # Reading ends at the declared size, and then compares the checksum.
                content = old.read(info)
                if info.filename.startswith("word/"):
                    content = without_hidden_runs(content)
                new.writestr(zipfile.ZipInfo(info.filename), content)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError,
            NotImplementedError, RuntimeError) as error:  # fmt: skip
        reason = str(error).splitlines() or [type(error).__name__]
        raise ToolkitError(f"it is damaged ({reason[0][:120]})") from None
    return out.getvalue()


def without_hidden_runs(xml: bytes) -> bytes:
    """Word's XML without the text that its author hid, which pandoc would show."""
    if b"<w:vanish" not in xml:
        return xml
    runs = xml.split(b"</w:r>")
    for i, run in enumerate(runs[:-1]):
        start = max(run.rfind(b"<w:r>"), run.rfind(b"<w:r "))
        if start >= 0 and _VANISH.search(run, start):
            runs[i] = run[:start] + b"<w:r>"
    return b"</w:r>".join(runs)


class _Writer:
    """Walks pandoc's tree. Pictures, raw markup and remarks are left out."""

    def __init__(self) -> None:
        self.out = TextBuilder()

    def blocks(self, blocks: Iterable[dict[str, Any]], prefix: str = "") -> None:
        """Write blocks as paragraphs; `prefix` stands before the first."""
        for block in blocks:
            kind: str = block["t"]
            content: Any = block.get("c")
            text = self._paragraph(kind, content)
            if kind == "Header":
                self.out.level = min(content[0], 6)
            if text is not None:
                self.out.write(prefix + text)
                self.out.end_paragraph()
                self.out.level, prefix = 0, ""
                continue
            self._container(kind, content, prefix)
            prefix = ""

    def _paragraph(self, kind: str, content: Any) -> str | None:
        """The text of a block that is one paragraph; None for one that holds blocks."""
        if kind in ("Para", "Plain"):
            return self.inlines(content)
        if kind == "Header":
            return self.inlines(content[2])
        if kind == "CodeBlock":
            return str(content[1])
        if kind == "LineBlock":
            return "\n".join(self.inlines(line) for line in content)
        if kind == "HorizontalRule":
            return "* * *"
        return "" if kind == "RawBlock" else None

    def _container(self, kind: str, content: Any, prefix: str) -> None:
        if kind in ("BlockQuote", "Div", "Figure"):
            inner = content if kind == "BlockQuote" else content[1]
            # Of a figure only the caption can be read.
            self.blocks(inner[1] if kind == "Figure" else inner, prefix)
        elif kind in ("BulletList", "OrderedList"):
            numbered = kind == "OrderedList"
            items, first = (content[1], content[0][0]) if numbered else (content, 0)
            for i, item in enumerate(items, first):
                self.blocks(item, f"{i}. " if numbered else "- ")
        elif kind == "DefinitionList":
            for term, definitions in content:
                self.out.write(self.inlines(term) + ": ")
                for definition in definitions:
                    self.blocks(definition)
        elif kind == "Table":
            self._table(content)

    def _table(self, content: list[Any]) -> None:
        _, caption, _, head, bodies, foot = content
        self.blocks(caption[1])
        rows = [*head[1], *(row for body in bodies for part in body[2:4] for row in part), *foot[1]]
        for row in rows:
            cells = [" ".join(self._cell(cell[4])) for cell in row[1]]
            self.out.write(" | ".join(cells) + "\n")
        self.out.end_paragraph()

    def _cell(self, blocks: list[dict[str, Any]]) -> list[str]:
        inner = _Writer()
        inner.blocks(blocks)
        return inner.out.document().text.split()

    def inlines(self, inlines: Iterable[dict[str, Any]]) -> str:
        """The text of inline elements."""
        return "".join(self._inline(item["t"], item.get("c")) for item in inlines)

    def _inline(self, kind: str, content: Any) -> str:
        if kind == "Str":
            return str(content)
        if kind in ("Space", "SoftBreak", "LineBreak"):
            return "\n" if kind == "LineBreak" else " "
        if kind in ("Code", "Math"):
            return str(content[1])
        if kind in ("RawInline", "Image"):
            return ""
        if kind == "Note":
            return f" [{' '.join(self._cell(content))}]"
        if kind == "Quoted":
            left, right = "‘’" if content[0]["t"] == "SingleQuote" else "“”"
            return left + self.inlines(content[1]) + right
        if kind in ("Span", "Link", "Cite"):
            return self.inlines(content[1])
        return self.inlines(content)  # Emph, Strong, Underline, …

    def inlines_of(self, meta: dict[str, Any]) -> str:
        """The text of a metadata value."""
        kind: str = meta["t"]
        content: Any = meta.get("c")
        if kind == "MetaString":
            return str(content)
        if kind == "MetaInlines":
            return self.inlines(content)
        if kind == "MetaBlocks":
            return " ".join(self._cell(content))
        if kind == "MetaList":
            return "\n".join(self.inlines_of(item) for item in content)
        return ""
