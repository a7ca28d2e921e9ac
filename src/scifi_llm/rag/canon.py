"""The canon rules: what a reader knows at the end of a chapter, and what a person knows."""

from __future__ import annotations

from ..documents import Note


def visible(note: Note, as_of: int | None = None, pov: str | None = None) -> bool:
    """May this note be shown at the end of chapter `as_of`, to `pov`? None asks for no rule.

    Bounds are inclusive. A chapter without a number is hidden under `as_of`, and a note with
    `known_by` only is shown to the people in it. Names compare without regard to case.
    """
    if as_of is not None:
        if note.type == "chapter" and note.chapter is None:
            return False
        if max(note.chapter or 0, note.from_chapter or 0) > as_of:
            return False
        if note.until_chapter is not None and note.until_chapter < as_of:
            return False
    if pov is not None and note.known_by is not None:
        return pov.strip().casefold() in {name.strip().casefold() for name in note.known_by}
    return True
