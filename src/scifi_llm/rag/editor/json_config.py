"""Our entries in the legacy config.json. Pure. Continue reads it where there is no config.yaml."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ...errors import ToolkitError
from . import entries as made
from .entries import Entry

MARK = {"writtenBy": "setup_continue.sh"}  # JSON has no comments to put marks in
SINGLE = ("tabAutocompleteModel", "embeddingsProvider")
EXPERIMENTAL, ROLES = "experimental", "modelRoles"


def merge(text: str, entries: Sequence[Entry]) -> tuple[str, list[str]]:
    """`text` with our models first, and the names of settings that stay the user's own.

    Raises ToolkitError where the text is no JSON object.
    """
    before = _object(text)
    data = _without_ours(before)
    models = [{**entry, **MARK} for entry in made.as_json_models(entries)]
    data["models"] = [*models, *data.get("models", [])]
    kept = []
    wanted = (made.as_json_autocomplete(entries), made.as_json_embeddings(entries))
    for name, entry in zip(SINGLE, wanted, strict=True):
        if name in data:
            kept.append(name)
        elif entry:
            data[name] = {**entry, **MARK}
    # A model of ours that the user has chosen instead stays chosen while there is one of its name.
    titles = [model["title"] for model in models]
    chosen = {role: title for role, title in _roles(before).items() if title in titles}
    kept += _add_roles(data, {**made.as_json_roles(entries), **chosen})
    return _dump(data), kept


def remove(text: str) -> str:
    """`text` without our entries; text without any stays as it is.

    Raises ToolkitError where it is no JSON object.
    """
    data = _object(text)
    left = _without_ours(data)
    return text if left == data else _dump(left)


def _object(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text or "{}")
    except ValueError as error:
        raise ToolkitError(f"not valid JSON ({error}).", "Mend it, or use config.yaml.") from None
    if not isinstance(data, dict) or not isinstance(data.get("models", []), list):
        raise ToolkitError("no JSON object with a list of models.", "Mend or remove it.")
    return data


def _add_roles(data: dict[str, Any], roles: dict[str, str]) -> list[str]:
    """Put `roles` beside those that the user has named; returns what stays the user's own."""
    outer = data.setdefault(EXPERIMENTAL, {})
    if not isinstance(outer, dict):
        return [EXPERIMENTAL]
    inner = outer.setdefault(ROLES, {})
    if not isinstance(inner, dict):
        return [f"{EXPERIMENTAL}.{ROLES}"]
    kept = [f"{EXPERIMENTAL}.{ROLES}.{role}" for role in roles if role in inner]
    outer[ROLES] = {**roles, **inner}
    return kept


def _without_ours(data: dict[str, Any]) -> dict[str, Any]:
    left = {key: value for key, value in data.items() if not _ours(value)}
    if "models" in left:
        titles = [entry.get("title") for entry in left["models"] if _ours(entry)]
        left["models"] = [entry for entry in left["models"] if not _ours(entry)]
        _remove_roles(left, titles)
    return left


def _roles(data: dict[str, Any]) -> dict[str, Any]:
    outer = data.get(EXPERIMENTAL)
    inner = outer.get(ROLES) if isinstance(outer, dict) else None
    return inner if isinstance(inner, dict) else {}


def _remove_roles(data: dict[str, Any], titles: Sequence[Any]) -> None:
    """Take out roles that name a model of ours, and what is empty without them."""
    inner = _roles(data)
    roles = {role: title for role, title in inner.items() if title not in titles}
    if roles == inner:
        return
    left = {key: roles if key == ROLES else value for key, value in data[EXPERIMENTAL].items()}
    if not roles:
        del left[ROLES]
    data[EXPERIMENTAL] = left
    if not left:
        del data[EXPERIMENTAL]


def _ours(value: Any) -> bool:
    return isinstance(value, dict) and MARK.items() <= value.items()


def _dump(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
