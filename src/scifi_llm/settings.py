"""Settings from the environment, with the defaults of lib/defaults.env; YAML of any origin."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from .errors import ToolkitError
from .paths import REPO


@cache
def defaults() -> dict[str, str]:
    """The lines of lib/defaults.env as a dict of strings."""
    lines = (REPO / "lib" / "defaults.env").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


def setting(name: str) -> str:
    """The value of `name`: the environment's, else the default, else ""."""
    return os.environ.get(name, "").strip() or defaults().get(name, "")


def number(name: str, low: float, high: float) -> float:
    """A numeric setting.

    Raises ToolkitError where the value is no number or lies outside [low, high].
    """
    value = setting(name)
    try:
        result = float(value)
    except ValueError:
        raise ToolkitError(f"{name}={value!r} is not a number.", f"Unset {name}.") from None
    if not low <= result <= high:
        raise ToolkitError(f"{name}={value} is not between {low:g} and {high:g}.", f"Set {name}.")
    return result


def parse_yaml(text: str, first_line: int = 1) -> Any:
    """What a YAML text says.

    Raises ToolkitError that names the line, counted from `first_line`, where it is not valid.
    """
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + first_line}" if mark else ""
        raise ToolkitError(f"not valid YAML{where}") from None
