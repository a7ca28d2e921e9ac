"""For 5_serve_adapter.sh: the base of an adapter that vLLM can serve.

`python -m scifi_llm.finetuning.served ADAPTER [BASE]` prints the base model's name.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..console import keep_stdout_for_data, run_main
from ..errors import ToolkitError
from ..lora import why_not_served
from .adapters import Adapter, read_adapter

MERGE = "Merge it and serve the merged model: fine-tuning/scripts/4_merge.py --adapter {}"


def check_servable(adapter: Adapter) -> None:
    """Raises ToolkitError where vLLM cannot serve an adapter beside its base."""
    try:
        reason = why_not_served(adapter.settings)
    except ValueError as error:
        reason = f"names no rank: {error}"
    if reason:
        raise ToolkitError(f"{adapter.folder} {reason}.", MERGE.format(adapter.folder))


def main() -> int:
    """Entry of `python -m scifi_llm.finetuning.served`."""
    keep_stdout_for_data()
    if len(sys.argv) not in (2, 3):
        raise ToolkitError("Usage: served ADAPTER [BASE]")
    adapter = read_adapter(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
    check_servable(adapter)
    print(adapter.base)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
