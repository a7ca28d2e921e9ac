"""Start the proxy: check its collection, load its model, listen."""

from __future__ import annotations

import argparse
import logging
import os

from ...console import Parser, log_ok, log_test
from ...errors import ToolkitError
from ...openai_api import async_client
from ...paths import chroma_dir, chunks_dir
from ...settings import setting
from .. import store, watch
from ..index import choose_collection
from ..retrieval import Retriever
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


def main() -> int:
    """Entry of RAG/serve_rag_proxy.py."""
    parser = Parser(
        prog="serve_rag_proxy.py",
        description="Serve OpenAI's API with the canon of a collection put before the model.",
        epilog="example: ./serve_rag_proxy.py scifi_world --upstream http://localhost:8000/v1",
    )
    parser.add_argument("collection", nargs="?", metavar="COLLECTION", help="default: the last one")
    parser.add_argument("--port", type=int, default=int(setting("RAG_PORT")), metavar="N")
    parser.add_argument("--upstream", metavar="URL", help="default: http://127.0.0.1:8000/v1")
    parser.add_argument(
        "--watch", nargs="?", const="", metavar="DIR", help="index notes as they change (RAG/data)"
    )
    parser.add_argument("--check", action="store_true", help="check the settings and end")
    options = parser.parse_args()
    settings = settings_of(options)
    settings.check()
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

    logging.basicConfig(format="[WARN] %(asctime)s %(message)s", level=logging.WARNING)
    import uvicorn

    from .app import create_app

    log_ok(
        f"Proxy on http://{settings.host}:{settings.port}/v1 in front of {settings.upstream_url}"
    )
    if notes:
        watch.start(notes, chunks_dir(), chroma_dir(), settings.collection)
    uvicorn.run(
        create_app(settings, retriever, async_client()),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        server_header=False,
    )
    return 0
