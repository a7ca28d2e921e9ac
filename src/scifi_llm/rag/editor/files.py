"""Settings files of an editor: read, replaced whole, kept as a backup."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from ...console import log_ok
from ...errors import ToolkitError


def write(file: Path, old: str, new: str) -> None:
    """Replace a file whole, with a backup of what was there; an equal file is left alone."""
    if old == new:
        log_ok(f"{file} is up to date")
        return
    target = file.resolve()  # a link into somebody's dotfiles stays a link
    target.parent.mkdir(parents=True, exist_ok=True)
    if old:
        backup = target.with_name(f"{target.name}.{datetime.now():%Y%m%d-%H%M%S-%f}.backup")
        backup.write_bytes(target.read_bytes())
        log_ok(f"What was there is in {backup}")
    if not new.strip():  # it was ours alone, and an empty file would hide a config.json
        target.unlink(missing_ok=True)
        log_ok(f"Removed {file}")
        return
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        scratch.write_text(new, encoding="utf-8", newline="")
        # It may hold the proxy's key.
        scratch.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o600)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    log_ok(f"Wrote {file}")


def read(file: Path) -> str:
    """The text of a file, "" where there is none. Raises ToolkitError where it cannot be read."""
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise unusable(file, error) from None
    except UnicodeDecodeError:
        raise ToolkitError(f"{file} is no UTF-8 text.", "Mend or remove it.") from None


def unusable(file: Path, error: OSError) -> ToolkitError:
    """The error that names the file and what to do."""
    return ToolkitError(
        f"{file} cannot be used ({error.strerror}).", "Name another folder: --dir DIR"
    )
