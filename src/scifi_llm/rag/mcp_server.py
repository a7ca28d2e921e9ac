"""The canon for editors and agents that speak MCP: `search_canon` and `explain` over stdio.

It asks the running proxy, so that an agent reads exactly what a chat would be given: the same
search, rules and token counts, one embedding model in memory, and no start of its own to wait for.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from ..console import Parser, keep_stdout_for_data, log_test
from ..errors import ToolkitError
from ..openai_api import error_message, sync_client
from ..settings import setting

if TYPE_CHECKING:
    from mcp.server import MCPServer

INSTRUCTIONS = (
    "The canon of the author's book: characters, places, technology, plots, chapters, style. "
    "Search it before you write about anything of the book's world, and do not invent what it "
    "contradicts."
)
NEAR_MISSES = 8  # what was left out is told so far: an agent pays for every line
NOTHING = "The canon holds nothing on this under these rules."


def ask(url: str, path: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The proxy's answer to a POST of `asked` without its None values.

    Raises ToolkitError where the proxy is down or refuses.
    """
    base = url.rstrip("/").removesuffix("/v1")
    body = {key: value for key, value in asked.items() if value is not None}
    try:
        with sync_client(base, os.environ.get("RAG_API_KEY", "")) as client:
            answer = client.post(path, json=body)
    except ToolkitError as error:
        raise ToolkitError(error.problem, "Start it with: ./serve_rag_proxy.sh --detach") from None
    if answer.status_code != 200:
        raise ToolkitError(error_message(answer.content))
    found: dict[str, Any] = json.loads(answer.content)
    return found


def as_passages(results: list[dict[str, Any]]) -> str:
    """Passages as Markdown: heading, where from and why, text. Pure."""
    parts = (
        f"## {entry['heading']}\n({entry['path']}; {entry['why']})\n\n{entry['text']}"
        for entry in results
    )
    return "\n\n".join(parts) or NOTHING


def as_reasons(answer: dict[str, Any]) -> str:
    """What a chat would be given and why, as lists in Markdown. Pure."""
    told = answer["budget"]
    lines = [f"Searched for: {answer['query']}"]
    for title, key in (("Always sent", "always"), ("Sent", "passages"), ("Left out", "dropped")):
        lines += ["", f"## {title}"]
        entries = answer[key]
        few = entries[:NEAR_MISSES] if key == "dropped" else entries
        lines += [_reason(entry) for entry in few] or ["- nothing"]
        lines += [f"- and {len(entries) - len(few)} more"] if len(few) < len(entries) else []
    budget = f"{told['used']} of {told['tokens']} tokens, {told['always_used']} more always sent"
    return "\n".join([*lines, "", f"Budget: {budget} ({told['counter']})"])


def _reason(entry: dict[str, Any]) -> str:
    left_out = f"; left out: {entry['reason']}" if entry.get("reason") else ""
    place = f"{entry['heading']} ({entry['path']})"
    return f"- {place}: {entry['why']}; {entry['tokens']} tokens{left_out}"


def make_server(url: str) -> MCPServer:
    """The server in front of the proxy at `url`."""
    from mcp.server import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import ToolAnnotations

    server = MCPServer("canon", instructions=INSTRUCTIONS, log_level="WARNING")
    reads = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

    def told(path: str, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            return ask(url, path, asked)
        except ToolkitError as error:
            raise ToolError(str(error)) from None

    @server.tool(annotations=reads, structured_output=False)
    def search_canon(
        query: str,
        as_of: int | None = None,
        pov: str | None = None,
        top_k: int | None = None,
        collection: str | None = None,
    ) -> str:
        """Search the book's canon and return the passages that answer, best first.

        Args:
            query: A question, a name, or a passage of the text being written.
            as_of: Hide what a reader learns only after this chapter.
            pov: Leave out what this person does not know.
            top_k: At most so many passages.
            collection: Another book's collection.
        """
        asked = {"query": query, "as_of": as_of, "pov": pov, "top_k": top_k}
        return as_passages(told("rag/search", {**asked, "collection": collection})["results"])

    @server.tool(annotations=reads, structured_output=False)
    def explain(
        query: str,
        as_of: int | None = None,
        pov: str | None = None,
        budget_tokens: int | None = None,
        collection: str | None = None,
    ) -> str:
        """Tell which canon a chat with this text would be given, why, and what was left out.

        Args:
            query: A question, or a passage of the text being written.
            as_of: Hide what a reader learns only after this chapter.
            pov: Leave out what this person does not know.
            budget_tokens: Tokens that the passages may take.
            collection: Another book's collection.
        """
        asked = {"query": query, "as_of": as_of, "pov": pov, "budget_tokens": budget_tokens}
        return as_reasons(told("rag/explain", {**asked, "collection": collection}))

    return server


def main() -> int:
    """Entry of RAG/mcp_server.py."""
    parser = Parser(
        prog="mcp_server.py",
        description="Serve search_canon and explain over MCP (stdio), for editors and agents.",
        epilog="example: ./mcp_server.py --url http://localhost:8001",
    )
    default = f"http://127.0.0.1:{setting('RAG_PORT')}"
    parser.add_argument("--url", default=default, metavar="URL", help=f"the RAG proxy ({default})")
    options = parser.parse_args()
    keep_stdout_for_data()
    log_test(f"MCP on stdin and stdout, canon from {options.url}")
    make_server(options.url).run("stdio")
    return 0
