"""Our entries in a config.yaml of the user: put in between two marks, and taken out again. Pure.

The user's text is never written anew, so that comments, order and quoting stay. Everything of ours
stands between marks; a second run replaces what is between them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ToolkitError
from ...settings import parse_yaml
from .entries import Entry

OPEN = "# >>> scifi-llm: written by setup_continue.sh, which replaces what is between these marks"
CLOSE = "# <<< scifi-llm"
# Nothing between two opening marks is ours: the first of them has lost its end.
_BLOCK = re.compile(
    r"^[ \t]*# >>> scifi-llm(?:(?!# >>> scifi-llm).)*?^[ \t]*# <<< scifi-llm[^\n]*(?:\n|\Z)",
    re.M | re.S,
)
_MARK = re.compile(r"^[ \t]*# (?:>>>|<<<) scifi-llm", re.M)
HEADER = {"name": "Canon", "version": "0.0.1", "schema": "v1"}  # what Continue asks of a file


def merge(text: str, lists: Mapping[str, Sequence[Entry]]) -> str:
    """`text` with the entries of `lists` first in the lists of these names.

    Raises ToolkitError where the text is not valid, or in a form that cannot be added to.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    start = "\ufeff" if text.startswith("\ufeff") else ""
    plain = remove(text.removeprefix(start)).replace("\r\n", "\n")
    if plain and not plain.endswith("\n"):
        plain += "\n"
    before = _mapping(plain)
    wanted, result = {**HEADER, **before}, plain
    added: dict[str, Any] = {key: HEADER[key] for key in HEADER if key not in before}
    for name, entries in lists.items():
        if name in before and entries:
            if not isinstance(before[name], list | None):
                raise _not_addable()
            result = _into_list(result, name, entries)
        elif entries:
            added[name] = list(entries)
        wanted |= {name: [*entries, *(before.get(name) or [])]} if entries else {}
    if added:
        result += _block(_dump(added), 0)
    if not _says(result, wanted):
        raise _not_addable()
    return start + result.replace("\n", newline)


def remove(text: str) -> str:
    """`text` without anything of ours.

    Raises ToolkitError where one of the two marks is missing.
    """
    plain = _BLOCK.sub("", text)
    if _MARK.search(plain):
        raise ToolkitError(
            "one of the marks '# >>> scifi-llm' and '# <<< scifi-llm' stands alone.",
            "Remove it and what belongs to it, then run this again.",
        )
    return plain


def _says(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return _mapping(text) == wanted
    except ToolkitError:
        return False


def _not_addable() -> ToolkitError:
    return ToolkitError(
        "written in a form that nothing can be added to.",
        "Write its lists as lines that begin with '- ', then run this again.",
    )


def _mapping(text: str) -> dict[str, Any]:
    found = parse_yaml(text)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ToolkitError("no settings in it (no 'key: value' lines).", "Mend or remove it.")
    return found


def _into_list(text: str, name: str, entries: Sequence[Entry]) -> str:
    """`text` with the entries in front of those of an existing list."""
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    key, value = next((k, v) for k, v in pairs if k.value == name)
    if isinstance(value, yaml.SequenceNode) and value.flow_style:
        at = text.index("[", value.start_mark.index) + 1
        start = "" if text[at] == "\n" else "\n"
        at += not start
        return text[:at] + start + _flow_block(entries) + text[at:]
    column = 2
    if isinstance(value, yaml.SequenceNode):
        column = value.start_mark.column
    else:  # `models: null` and the like say what an empty value says
        text = text[: value.start_mark.index] + text[value.end_mark.index :]
    # Below the key's own line, so that a comment above the first entry stays with that entry.
    at = text.index("\n", key.end_mark.index) + 1
    return text[:at] + _block(_dump(list(entries)), column) + text[at:]


def _block(body: str, column: int) -> str:
    lines = [OPEN, *body.splitlines(), CLOSE]
    return "".join(f"{' ' * column}{line}".rstrip() + "\n" for line in lines)


def _flow_block(entries: Sequence[Entry]) -> str:
    """Entries for a list in brackets, as JSON. YAML allows the comma behind the last one."""
    lines = [OPEN, *(json.dumps(entry, ensure_ascii=False) + "," for entry in entries), CLOSE]
    return "".join(f"  {line}\n" for line in lines)


def _dump(value: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, default_flow_style=False, width=10_000
    )
    return text
