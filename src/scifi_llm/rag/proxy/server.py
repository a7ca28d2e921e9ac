"""Start the proxy: check its collection, load its model, listen."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ...console import Parser, log_ok, log_test
from ...errors import ToolkitError
from ...openai_api import async_client
from ...paths import chroma_dir, chunks_dir
from ...settings import setting
from .. import store, watch
from ..index import choose_collection
from ..passages import Searcher
from ..retrieval import Retriever
from .guard import Guard
from .logs import FORMATS, LEVELS, set_up
from .settings import ProxySettings


def settings_of(options: argparse.Namespace) -> ProxySettings:
    """Settings from the command line, then the environment, then the defaults."""
    if not 1 <= options.port <= 65535:
        raise ToolkitError(f"--port {options.port} is no port.", "Use one from 1 to 65535.")
    default = f"http://127.0.0.1:{setting('VLLM_PORT')}/v1"
    return ProxySettings(
        collection=choose_collection(options.collection, chroma_dir()),
        upstream_url=options.upstream or os.environ.get("RAG_UPSTREAM_URL") or default,
        upstream_key=os.environ.get("UPSTREAM_API_KEY", ""),
        api_key=os.environ.get("RAG_API_KEY", ""),
        host=os.environ.get("RAG_HOST") or "127.0.0.1",
        port=options.port,
    )


def parser() -> Parser:
    """The command line of RAG/serve_rag_proxy.py."""
    made = Parser(
        prog="serve_rag_proxy.py",
        description="Serve OpenAI's API with the canon of a collection put before the model.",
        epilog="example: ./serve_rag_proxy.py scifi_world --upstream http://localhost:8000/v1",
    )
    made.add_argument("collection", nargs="?", metavar="COLLECTION", help="default: the last one")
    made.add_argument("--port", type=int, default=int(setting("RAG_PORT")), metavar="N")
    made.add_argument("--upstream", metavar="URL", help="default: http://127.0.0.1:8000/v1")
    made.add_argument(
        "--watch", nargs="?", const="", metavar="DIR", help="index notes as they change (RAG/data)"
    )
    made.add_argument(
        "--log-level", default="warning", choices=LEVELS, help="info: a line a request (warning)"
    )
    made.add_argument(
        "--log-format", default="text", choices=FORMATS, help="json: an object a line"
    )
    made.add_argument(
        "--log-text", action="store_true", help="log what is asked, in full (implies info)"
    )
    made.add_argument("--check", action="store_true", help="check the settings and end")
    return made


def main() -> int:
    """Entry of RAG/serve_rag_proxy.py."""
    options = parser().parse_args()
    settings, guard = settings_of(options), Guard(log_text=options.log_text)
    settings.check()
    guard.check()
    entry = store.require(chroma_dir(), settings.collection)
    notes = None if options.watch is None else watch.notes_folder(options.watch)
    if options.check:
        print(entry.name)
        return 0
    retriever = Retriever(chroma_dir(), settings.collection)
    log_test(f"Loading collection {entry.name!r} ({entry.chunks} chunks) and {entry.model}")
    retriever.collection()
    # The first encoding is the slowest: it is not the author's to wait for.
    retriever.embedder(entry.model).encode_query("warm-up")
    set_up("info" if options.log_text else options.log_level, options.log_format)
    return run(settings, guard, retriever, notes)


def run(settings: ProxySettings, guard: Guard, retriever: Searcher, notes: Path | None) -> int:
    """Answer until a signal comes. Returns the exit status."""
    from .app import create_app
    from .protocol import serve
    from .transport import Transport

    plain = settings.upstream_url.lower().startswith("http://")
    app = create_app(settings, retriever, async_client(Transport() if plain else None), guard)
    log_ok(
        f"Proxy on http://{settings.host}:{settings.port}/v1 in front of {settings.upstream_url}"
    )
    if notes:
        watch.start(notes, chunks_dir(), chroma_dir(), settings.collection)
    return serve(app, settings.host, settings.port, guard, app.state.gate.drain)
