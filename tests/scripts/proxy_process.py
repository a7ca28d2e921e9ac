"""The proxy as it is served, with a searcher that does what a question says.

`python proxy_process.py PORT UPSTREAM`, with src/ on PYTHONPATH. `search:slow` takes 30 s,
`search:locked` fails.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from scifi_llm.console import run_main
from scifi_llm.rag.passages import Found, Passage, SearchRequest
from scifi_llm.rag.proxy.guard import Guard
from scifi_llm.rag.proxy.logs import set_up
from scifi_llm.rag.proxy.server import run
from scifi_llm.rag.proxy.settings import ProxySettings


class Searcher:
    """Finds nothing, fast, slowly or not at all."""

    root = Path("/nonexistent")

    def search(self, request: SearchRequest) -> Found:
        """What the question asks for."""
        if "search:slow" in request.query:
            time.sleep(30)
        if "search:locked" in request.query:
            raise RuntimeError("database is locked")
        return Found(request.query, [])

    def always(self, request: SearchRequest) -> list[Passage]:
        """None."""
        return []


def main() -> int:
    """Serve until a signal comes."""
    settings = ProxySettings("novel", sys.argv[2], port=int(sys.argv[1]), state=None)
    guard = Guard()
    settings.check()
    guard.check()
    set_up("info", "json")
    return run(settings, guard, Searcher(), None)


if __name__ == "__main__":
    sys.exit(run_main(main))
