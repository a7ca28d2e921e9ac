"""Scrivener projects (versions 2 and 3): the binder's texts as notes, in its order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from ..errors import ToolkitError
from .chapters import number_in_heading
from .markdown import build_sections
from .model import Section, make_note, type_of_folder
from .rtf import parse_rtf
from .source import decode, read_bytes

MAX_DEPTH = 100
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True)
class BinderText:
    """A text of the binder. `path` is the project's path and the titles down to the text's own."""

    id: str
    path: str
    title: str = ""
    part: str = ""  # Scrivener's type of the top folder: DraftFolder, ResearchFolder, Folder
    chapter: int | None = None
    states_chapter: bool = False


def read_binder(project: Path, folder: Path) -> list[BinderText]:
    """The texts of a project's binder in its order; the trash is left out.

    A text's chapter is the number that its title states, or the nearest folder's above it. Where
    those of the draft do not rise (parts that begin anew at 1), no text has one.
    Raises ToolkitError where the project has no binder or a damaged one.
    """
    binders = sorted(file for file in project.glob("*.scrivx") if not file.name.startswith("."))
    if not binders:
        raise ToolkitError("it is no Scrivener project: it holds no .scrivx file")
    root = parse_xml(read_bytes(binders[0], folder)).find("Binder")
    if root is None:
        raise ToolkitError("its .scrivx file has no binder")
    base = BinderText("", project.relative_to(folder).as_posix())
    texts = list(_texts(root, base, 0))
    stated = [text.chapter or 0 for text in texts if text.states_chapter]
    if any(a >= b for a, b in pairwise(stated)):
        texts = [replace(text, chapter=None) for text in texts]
    return texts


def _texts(parent: Element, above: BinderText, depth: int) -> Iterator[BinderText]:
    if depth > MAX_DEPTH:
        raise ToolkitError("its binder is nested too deep")
    seen: dict[str, int] = {}
    for item in parent.findall("BinderItem"):
        kind = item.get("Type", "")
        if kind == "TrashFolder":
            continue
        title = " ".join((item.findtext("Title") or "").split()) or "Untitled"
        name = title.replace("/", "-")
        seen[name] = seen.get(name, 0) + 1
        part = above.part or kind
        chapter = number_in_heading(title) if part == "DraftFolder" else None
        text = BinderText(
            id=item.get("UUID") or item.get("ID") or "",
            path=f"{above.path}/{name}" + (f" ({seen[name]})" if seen[name] > 1 else ""),
            title=title,
            part=part,
            chapter=above.chapter if chapter is None else chapter,
            states_chapter=chapter is not None,
        )
        yield text
        if (children := item.find("Children")) is not None:
            yield from _texts(children, text, depth + 1)


def read_text(text: BinderText, project: Path, folder: Path) -> list[Section]:
    """A text's synopsis and content as sections; offsets count within each of the two.

    Document notes are the author's remarks to himself and are not read.
    Raises ToolkitError where a file of it cannot be read.
    """
    inside = text.path.removeprefix(project.relative_to(folder).as_posix() + "/")
    kind = type_of_folder(inside + "/") or ("research" if text.part == "ResearchFolder" else "")
    if text.part == "DraftFolder":
        kind = "chapter"
    synopses, contents = _files(text, project)
    note = make_note({"title": text.title}, text.path, "")
    note = replace(note, type=kind, chapter=text.chapter)
    sections: list[Section] = []
    for file in synopses:
        synopsis = decode(read_bytes(file, folder))
        sections.append(Section(note, (text.title, "Synopsis"), synopsis, 0, len(synopsis)))
    for file in contents:
        content = parse_rtf(read_bytes(file, folder))
        parts = build_sections(note, content.text, content.headings, numbered=True)
        sections += [replace(part, heading=(text.title, *part.heading)) for part in parts]
    return [part for part in sections if part.text.strip()]


def has_files(text: BinderText, project: Path) -> bool:
    """Is there something to read, or to complain of? Pictures and most folders have no text."""
    return not _ID.fullmatch(text.id) or any(_files(text, project))


def _files(text: BinderText, project: Path) -> tuple[list[Path], list[Path]]:
    """(synopses, contents) that there are, in the layout of version 3 or 2."""
    if not _ID.fullmatch(text.id):
        raise ToolkitError("its id in the binder is none of Scrivener's")
    new, old = project / "Files" / "Data" / text.id, project / "Files" / "Docs"
    synopses = [new / "synopsis.txt", old / f"{text.id}_synopsis.txt"]
    contents = [new / "content.rtf", old / f"{text.id}.rtf"]
    # A link to nothing is there: reading it gives the reason.
    return [f for f in synopses if os.path.lexists(f)], [f for f in contents if os.path.lexists(f)]


def parse_xml(data: bytes) -> Element:
    """The root element. No document types: their entities can grow without bound or name files.

    Raises ToolkitError where it is not well-formed, or has a document type.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: builder.start(name, attributes)
    parser.EndElementHandler = lambda name: builder.end(name)
    parser.CharacterDataHandler = lambda text: builder.data(text)

    def refuse(*_: object) -> None:
        raise ToolkitError("its XML has a document type, which Scrivener does not write")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
        return builder.close()
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise ToolkitError(f"its XML is damaged in line {error.lineno} ({reason})") from None
