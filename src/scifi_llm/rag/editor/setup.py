"""Write Continue's settings from what the proxy serves: the Python half of setup_continue.sh."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...console import Parser, keep_stdout_for_data, log_next, log_warn, run_main
from ...errors import ToolkitError
from ...openai_api import fetch, sync_client
from ...paths import REPO, chroma_dir, venvs_dir
from ...settings import setting
from .. import store
from . import entries, json_config, yaml_config
from .entries import Served
from .files import read, unusable, write

ASK_SECONDS = 10.0


def served(url: str, api_key: str) -> tuple[Served, str]:
    """What is served at a proxy's address, and the name of its collection.

    Raises ToolkitError where no proxy answers there, or nothing behind it.
    """
    base = url.rstrip("/").removesuffix("/v1")
    health = _health(base)
    with sync_client(f"{base}/v1", api_key) as client:
        answer = client.get("models")
        if answer.status_code == 401:
            raise ToolkitError(
                f"{base} asks for its key.", "Set it: RAG_API_KEY=SECRET ./setup_continue.sh"
            )
        found = _models(answer.content)
        if not found:
            raise ToolkitError(
                f"No model is served behind {base}.", "Start vLLM with: ./serve_vllm.sh --detach"
            )
        names = tuple(str(entry["id"]) for entry in found)
        lengths = [entry["max_model_len"] for entry in found if entry.get("max_model_len")]
        made = Served(
            url=f"{base}/v1",
            models=names,
            length=min(map(int, lengths)) if lengths else None,
            tools=_takes_tools(client, names[0]),
            embedding_model=health.get("embedding_model"),
            api_key=api_key or "EMPTY",
        )
    return made, str(health.get("collection", ""))


def _health(base: str) -> dict[str, Any]:
    text = fetch(f"{base}/health", ASK_SECONDS)
    if text is None:
        raise ToolkitError(
            f"No RAG proxy answers at {base}.", "Start it with: ./serve_rag_proxy.sh --detach"
        )
    try:
        health = json.loads(text)
    except ValueError:
        health = None
    if not isinstance(health, dict) or "collection" not in health:
        raise ToolkitError(
            f"{base} is no RAG proxy.", f"Name its address: --url http://localhost:{_port()}/v1"
        )
    return health


def _models(content: bytes) -> list[dict[str, Any]]:
    try:
        data = json.loads(content)["data"]
    except (ValueError, KeyError, TypeError):
        return []
    return [entry for entry in data if isinstance(entry, dict) and entry.get("id")]


def _takes_tools(client: Any, model: str) -> bool:
    """Does the server take requests with tools? vLLM does only with a parser for the model's."""
    function = {"name": "note", "parameters": {"type": "object", "properties": {}}}
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 1,
        "tools": [{"type": "function", "function": function}],
        "rag": {"enabled": False},
    }
    return bool(client.post("chat/completions", json=body).status_code == 200)


def chapters(collection: str) -> tuple[int, ...]:
    """Chapters that a collection's notes speak of; none where it is not on this machine."""
    try:
        root = chroma_dir()
        chunks = store.Collection(root, store.require(root, collection)).chunks.values()
    except ToolkitError:
        return ()
    notes = {chunk.note for chunk in chunks}
    numbers = {n for note in notes for n in (note.chapter, note.from_chapter) if n}
    return tuple(sorted(numbers))


def mcp_entry(found: Served, windows: bool) -> entries.Entry:
    """The MCP server for Continue; from Windows it is started inside WSL."""
    python, script = venvs_dir() / "rag" / "bin" / "python", REPO / "RAG" / "mcp_server.py"
    words = [str(python), str(script), "--url", found.url]
    # Editors hand few variables on, and Windows none.
    env = {"VENVS_DIR": str(venvs_dir())}
    if found.api_key != "EMPTY":
        env["RAG_API_KEY"] = found.api_key
    if windows:
        words = ["env", *(f"{name}={value}" for name, value in env.items()), *words]
        words = ["-d", os.environ.get("WSL_DISTRO_NAME", ""), "--exec", *words]
        return {"name": "canon", "command": "wsl.exe", "args": words}
    return {"name": "canon", "command": words[0], "args": words[1:], "env": env}


def _port() -> str:
    return setting("RAG_PORT")


def _numbers(text: str) -> tuple[int, ...]:
    words = [word for word in text.replace(",", " ").split() if word]
    if not all(word.isdigit() for word in words):
        raise ToolkitError(
            f"--as-of {text} holds more than chapter numbers.", "Give them as: --as-of 5,12"
        )
    return tuple(dict.fromkeys(int(word) for word in words))


def _parser() -> Parser:
    parser = Parser(
        prog="setup_continue.sh", description="Write Continue's settings for the canon."
    )
    parser.add_argument("--dir", type=Path, default=Path.home() / ".continue", metavar="DIR")
    parser.add_argument("--url", default=f"http://localhost:{_port()}/v1", metavar="URL")
    parser.add_argument("--as-of", metavar="N,N", help="chapters to have an entry for")
    parser.add_argument("--json", action="store_true", help="the legacy config.json")
    parser.add_argument("--mcp", action="store_true", help="the MCP server too")
    parser.add_argument("--windows", action="store_true", help="the editor runs under Windows")
    parser.add_argument("--remove", action="store_true", help="take our entries out again")
    parser.add_argument("--print", action="store_true", help="print the file, write nothing")
    return parser


def _lists(options: Any) -> dict[str, list[entries.Entry]]:
    """Our entries by the name of their list in config.yaml."""
    found, collection = served(options.url, os.environ.get("RAG_API_KEY", ""))
    if found.length is None:
        log_warn("The server does not tell its context length; the entries set none.")
    if options.as_of is not None:
        as_of = _numbers(options.as_of)
    else:
        as_of = entries.switches(chapters(collection))
        if not as_of:
            log_warn("No chapter numbers in the collection; for switches give: --as-of 5,12")
    servers = [mcp_entry(found, options.windows)] if options.mcp else []
    return {"models": entries.models(found, as_of), "mcpServers": servers}


@contextmanager
def about(file: Path) -> Iterator[None]:
    """Put the name of the file before what is wrong with it."""
    try:
        yield
    except ToolkitError as error:
        fix = error.fix or "Mend it and run this again; nothing was written."
        raise ToolkitError(f"{file}: {error.problem.rstrip('.')}.", fix) from None


def _new_text(options: Any, old: str, lists: dict[str, list[entries.Entry]]) -> str:
    """The file with our entries, or without them for --remove."""
    if options.remove:
        return json_config.remove(old) if options.json else yaml_config.remove(old)
    if not options.json:
        return yaml_config.merge(old, lists)
    text, kept = json_config.merge(old, lists["models"])
    for name in kept:
        log_warn(f"Your own {name} stays; remove it and run this again for ours.")
    return text


def main() -> int:
    """Entry of setup_continue.sh."""
    options = _parser().parse_args()
    if options.print:
        keep_stdout_for_data()
    folder = options.dir.expanduser()
    file = folder / ("config.json" if options.json else "config.yaml")
    old = read(file)
    lists = {} if options.remove else _lists(options)
    with about(file):
        new = _new_text(options, old, lists)
    if options.print:
        print(new, end="")
        return 0
    try:
        write(file, old, new)
    except OSError as error:
        raise unusable(file, error) from None
    if options.json and (folder / "config.yaml").exists():
        log_warn(f"Continue reads {folder / 'config.yaml'} and not this file. Run without --json.")
    if not options.remove:
        log_next("choose the model 'Canon' in Continue's chat")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
