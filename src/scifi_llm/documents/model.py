"""Notes and sections: what every reader makes, and the rules for a note's front matter."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ..errors import ToolkitError
from .chapters import number_in_name

# Folders whose notes need no `type`. worldbuilding/ holds places, factions and technology alike.
TYPE_OF_FOLDER = {
    "chapters": "chapter",
    "characters": "character",
    "plots": "plot",
    "research": "research",
    "style": "style",
    "worldbuilding": "",
}


@dataclass(frozen=True)
class Note:
    """Front matter of one file, by the contract; `path` is relative to the notes' folder.

    A file that holds several texts (a lorebook, a Scrivener project) is several notes.
    """

    path: str
    title: str
    type: str = ""
    aliases: tuple[str, ...] = ()
    always: bool = False
    from_chapter: int | None = None
    until_chapter: int | None = None
    known_by: tuple[str, ...] | None = None
    related: tuple[str, ...] = ()
    chapter: int | None = None


@dataclass(frozen=True)
class Section:
    """Text under one heading of a note, from characters [start, end) of the file's text.

    `text` is exactly that slice, except where something in it is not for readers (a comment, the
    brackets of a link): `cuts` then has, for each place in `text`, how many characters were left
    out up to there. The sections of a novel in one file have notes that differ in `chapter`.
    """

    note: Note
    heading: tuple[str, ...]
    text: str
    start: int
    end: int
    cuts: tuple[tuple[int, int], ...] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the file of text[start:end]; the span is not empty."""
        return self.start + self._shifted(start), self.start + self._shifted(end - 1) + 1

    def _shifted(self, position: int) -> int:
        before = bisect_right(self.cuts, position, key=lambda cut: cut[0])
        return position + (self.cuts[before - 1][1] if before else 0)

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_record` is its inverse."""
        return asdict(self)

    @staticmethod
    def from_record(record: dict[str, Any]) -> Section:
        """The section of a dict made by `as_record` and read back from JSON."""
        raw = dict(record["note"])
        for key in ("aliases", "related"):
            raw[key] = tuple(raw[key])
        raw["known_by"] = None if raw["known_by"] is None else tuple(raw["known_by"])
        return Section(
            Note(**raw),
            tuple(record["heading"]),
            record["text"],
            record["start"],
            record["end"],
            tuple((place, left_out) for place, left_out in record.get("cuts", ())),
        )


@dataclass
class Reading:
    """What a folder gave: sections, how many files, and the files that could not be read.

    Each text of a Scrivener project counts as a file. `empty` files hold no text, which is no
    fault. `as_of` will hide the `unnumbered_chapters`, and of the `partly_numbered` ones the text
    that stands outside of the chapters in them.
    """

    sections: list[Section] = field(default_factory=list)
    files: int = 0
    bad: list[tuple[str, str]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unnumbered_chapters: list[str] = field(default_factory=list)
    partly_numbered: list[str] = field(default_factory=list)


def make_note(
    meta: dict[str, Any], path: str, first_heading: str, links: tuple[str, ...] = ()
) -> Note:
    """Check front matter against the contract. `links` are related where nothing else is said.

    Raises ToolkitError where a value has the wrong form: a note whose rules are unclear must not
    reach the model, because they may be there to hide something.
    """
    name = PurePosixPath(path).name
    stem = PurePosixPath(path).stem
    kind = _kind(meta, path)
    chapter = _chapter(meta, "chapter")
    if chapter is None and kind == "chapter":
        chapter = number_in_name(stem)
    always = meta.get("always", False)
    if not isinstance(always, bool):
        raise ToolkitError(f"its key 'always' has value {always!r}; use true or false")
    title = meta.get("title")
    related = _names(meta, "related")
    return Note(
        path=path,
        title=" ".join(str(title if title else first_heading or _spaced(stem) or name).split()),
        type=kind,
        aliases=_aliases(meta),
        always=always,
        from_chapter=_chapter(meta, "from_chapter"),
        until_chapter=_chapter(meta, "until_chapter"),
        known_by=_names(meta, "known_by"),
        related=links if related is None else related,
        chapter=chapter,
    )


def _spaced(stem: str) -> str:
    return stem.replace("-", " ").replace("_", " ").strip()


def type_of_folder(path: str) -> str:
    """The type that the nearest folder of a known name gives, or ""."""
    for folder in reversed(PurePosixPath(path).parts[:-1]):
        if folder.casefold() in TYPE_OF_FOLDER:
            return TYPE_OF_FOLDER[folder.casefold()]
    return ""


def _kind(meta: dict[str, Any], path: str) -> str:
    value = meta.get("type")
    if value is None:
        return type_of_folder(path)
    if not isinstance(value, str):
        raise ToolkitError(f"its key 'type' has value {value!r}; use one word, such as chapter")
    return value.strip().lower() or type_of_folder(path)


def _aliases(meta: dict[str, Any]) -> tuple[str, ...]:
    """`aliases` and Obsidian's older `alias`; one string may hold several names with commas."""
    found: dict[str, None] = {}
    for key in ("aliases", "alias"):
        names = _names(meta, key) or ()
        if isinstance(meta.get(key), str):
            names = tuple(names[0].split(","))
        found.update(dict.fromkeys(name.strip() for name in names))
    return tuple(name for name in found if name)


def _names(meta: dict[str, Any], key: str) -> tuple[str, ...] | None:
    value = meta.get(key)
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    items = [item for item in items if item is not None]  # an empty bullet of a template
    if not all(isinstance(item, str | int | float) for item in items):
        raise ToolkitError(f"its key '{key}' is not a list of names")
    return tuple(_unlinked(str(item)) for item in items)


def _unlinked(name: str) -> str:
    """The name of a link: Obsidian writes links in front matter as "[[Name]]"."""
    if name.startswith("[[") and name.endswith("]]"):
        return name[2:-2].split("|")[0].split("#")[0]
    return name


def _chapter(meta: dict[str, Any], key: str) -> int | None:
    value = meta.get(key)
    if isinstance(value, str) and value.strip().isdecimal():  # editors may quote a number
        value = int(value)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ToolkitError(f"its key '{key}' has value {value!r}; use a chapter number")
    return value
