"""Virtual environments: start a script in the right one, compare one with its requirements.

Standard library only: it runs before any environment exists. As a program, inside an environment:
`python -m scifi_llm.environment check requirements/rag.txt` prints a line for each package that
differs and exits 1, or prints nothing and exits 0.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from .console import run_main
from .errors import ToolkitError
from .paths import venvs_dir

SETUP_SCRIPT = {
    "rag": "RAG/0_create_venv_with_deps.sh",
    "llm": "vllm/setup/2_create_venv.sh",
    "finetune": "fine-tuning/scripts/0_create_venv.sh",
}


def launch(venv: str, module: str) -> None:
    """Run `main()` of `module` with the Python of ~/.venvs/<venv>, and exit with its status.

    The process replaces itself where it runs under another Python. `--help` is answered on any
    Python, because modules import third-party packages only where they use them.
    """
    python = venvs_dir() / venv / "bin" / "python"
    wants_help = any(word in ("-h", "--help") for word in sys.argv[1:])
    if Path(sys.prefix).resolve() != (venvs_dir() / venv).resolve() and not wants_help:
        if not os.access(python, os.X_OK):
            error = ToolkitError(
                f"{python.parent.parent} does not exist.", f"Create it with: {SETUP_SCRIPT[venv]}"
            )
            sys.exit(run_main(_raiser(error)))
        os.execv(python, [str(python), *sys.argv])
    sys.exit(run_main(import_module(module).main))


def _raiser(error: ToolkitError) -> Callable[[], int]:
    def raise_it() -> int:
        raise error

    return raise_it


def differences(requirements: Path) -> list[str]:
    """Names of the pins that this environment lacks, has in another version, or has torn.

    A package is torn when its installation was killed: pip writes RECORD last. Its metadata is
    removed here, because pip would call it installed and never mend it.
    """
    # pip is in every environment that we make; `packaging` may not be there yet.
    from pip._vendor.packaging.requirements import Requirement
    from pip._vendor.packaging.utils import canonicalize_version

    found = []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith(("#", "-")):
            continue
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate():
            continue
        wanted = canonicalize_version(str(requirement.specifier).removeprefix("=="))
        try:
            installed = distribution(requirement.name)
        except PackageNotFoundError:
            found.append(requirement.name)
            continue
        if installed.read_text("RECORD") is None:
            _forget(installed)
            found.append(requirement.name)
        elif canonicalize_version(installed.version) != wanted:
            found.append(requirement.name)
    return found


def _forget(installed: object) -> None:
    folder = getattr(installed, "_path", None)
    if isinstance(folder, Path) and folder.name.endswith(".dist-info"):
        shutil.rmtree(folder)


def main() -> int:
    """Entry of `python -m scifi_llm.environment check FILE`."""
    if len(sys.argv) != 3 or sys.argv[1] != "check":
        raise ToolkitError("Usage: python -m scifi_llm.environment check REQUIREMENTS_FILE")
    found = differences(Path(sys.argv[2]))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(run_main(main))
