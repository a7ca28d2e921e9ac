"""What a request may ask of the canon: the field `rag`, x-rag-* headers, or `model@collection`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ...errors import ToolkitError
from .settings import SOURCES

_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_HEADER = "x-rag-"


@dataclass(frozen=True)
class RagOptions:
    """What is asked for; None or () asks for the proxy's own."""

    enabled: bool = True
    collections: tuple[str, ...] = ()
    as_of: int | None = None
    pov: str | None = None
    top_k: int | None = None
    budget_tokens: int | None = None
    sources: str | None = None


_KINDS: dict[str, tuple[Any, str]] = {
    "enabled": (bool, "true or false"),
    "collection": ((str, list), "a name or a list of names"),
    "as_of": (int, "a chapter number"),
    "pov": (str, "a name"),
    "top_k": (int, "a whole number above 0"),
    "budget_tokens": (int, "a whole number"),
    "sources": (str, '"field", "footer" or "none"'),
}
_LOWEST = {"as_of": 0, "top_k": 1, "budget_tokens": 0}


def rag_options(value: Any, headers: Mapping[str, str] | None = None) -> RagOptions:
    """Options of the field `rag`, then of headers, then the defaults.

    Raises ToolkitError that names the key or header and what it should be.
    """
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ToolkitError("The field 'rag' must be an object.")
    found: dict[str, Any] = {}
    for key, text in (headers or {}).items():
        if key.lower().startswith(_HEADER):
            name = key.lower().removeprefix(_HEADER).replace("-", "_")
            found |= _checked(name, _header_value(name, text), key.lower())
    for key, given in value.items():
        found |= _checked(key, given, f"rag.{key}")
    names = found.pop("collection", None)
    return RagOptions(**found, collections=() if names is None else _names(names))


def _checked(key: str, given: Any, place: str) -> dict[str, Any]:
    """{key: given} where it is a value for that key; {} for null."""
    if key not in _KINDS:
        owner = "The field 'rag'" if place.startswith("rag.") else f"{place} is unknown: 'rag'"
        raise ToolkitError(f"{owner} has no key {key!r}; it has: {', '.join(_KINDS)}.")
    kind, wanted = _KINDS[key]
    if given is None:
        return {}
    if not isinstance(given, kind) or (kind is int and isinstance(given, bool)):
        raise ToolkitError(f"{place} is {given!r}; it must be {wanted}.")
    low = _LOWEST.get(key)
    if low is not None and not low <= given <= 1_000_000:
        raise ToolkitError(f"{place} is {given}; it must be from {low} to 1000000.")
    if (key == "sources" and given not in SOURCES) or (key == "collection" and not _names(given)):
        raise ToolkitError(f"{place} is {given!r}; it must be {wanted}.")
    return {key: given}


def _header_value(key: str, text: str) -> Any:
    """A header's text as the value that the field `rag` would have."""
    text = text.strip()
    if key == "enabled":
        return True if text.lower() in _TRUE else False if text.lower() in _FALSE else text
    if key in _LOWEST:
        return int(text) if text.isdecimal() and len(text) < 9 else text
    if key == "pov":  # names may be sent as UTF-8 or percent-encoded
        return unquote(text.encode("latin-1", "replace").decode("utf-8", "replace"))
    return text


def _names(value: str | list[Any]) -> tuple[str, ...]:
    """The names in "a, b" or ["a", "b"], each once; () where an entry is no name."""
    parts = value.split(",") if isinstance(value, str) else value
    if not all(isinstance(part, str) and part.strip() for part in parts):
        return ()
    return tuple(dict.fromkeys(part.strip() for part in parts))


def split_model(
    model: Any, served: Collection[str], known: Collection[str]
) -> tuple[str, tuple[str, ...]] | None:
    """("model", collections) of a name like "model@collection", or None for a plain name. Pure.

    A name that is served as it is stays whole. Otherwise it is split where the suffix names
    collections that are `known`, or where the models served are known and it is none of them.
    """
    if not isinstance(model, str) or "@" not in model or model in served:
        return None
    base, _, suffix = model.rpartition("@")
    names = _names(suffix) if suffix else ()
    if not base or not names:
        return None
    return (base, names) if served or set(names) <= set(known) else None
