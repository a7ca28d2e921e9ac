"""Ask one question through the proxy and show answer, sources, tokens and times.

`python -m scifi_llm.ask --base-url http://127.0.0.1:8001/v1 "What are Elena's key traits?"`
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from .console import Parser, log_ok, log_warn, run_main
from .errors import ToolkitError
from .openai_api import served_model, stream_chat
from .settings import setting

MAX_TOKENS = 256
TEMPERATURE = 0.3  # a question about facts


@dataclass
class Answer:
    """What came of a streamed answer; times in seconds since the request was sent."""

    text: str = ""
    sources: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    first_token: float | None = None
    total: float = 0.0


def ask(base_url: str, question: str, model: str, api_key: str = "") -> Answer:
    """Stream the answer to stdout as it comes and return it.

    Raises ToolkitError where the server cannot be asked or answers with an error.
    """
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": MAX_TOKENS,
        "temperature": TEMPERATURE,
        "stream_options": {"include_usage": True},
    }
    answer, started = Answer(), time.monotonic()
    with stream_chat(base_url, body, api_key) as events:
        for event in events:
            if "error" in event:
                raise ToolkitError(str(event["error"].get("message", "The answer broke off.")))
            answer.usage = event.get("usage") or answer.usage
            answer.sources = event.get("rag", {}).get("sources", answer.sources)
            for choice in event.get("choices", []):
                piece = choice.get("delta", {}).get("content") or ""
                if piece and answer.first_token is None:
                    answer.first_token = time.monotonic() - started
                answer.text += piece
                print(piece, end="", flush=True)
    answer.total = time.monotonic() - started
    print(flush=True)
    return answer


def report(answer: Answer) -> None:
    """Print sources, tokens and times."""
    print("\nSources, as the model was given them:")
    for place, source in enumerate(answer.sources, start=1):
        print(f"  {place}. {source['heading']}  ({source['path']}, {source['why']})")
    if not answer.sources:
        log_warn("No passage of the canon was found for this question.")
    made = answer.usage.get("completion_tokens", 0)
    waited = answer.first_token or answer.total
    rate = (made - 1) / (answer.total - waited) if made > 1 and answer.total > waited else 0.0
    log_ok(
        f"{answer.usage.get('prompt_tokens', 0)} prompt tokens, {made} answer tokens; first token "
        f"after {waited:.1f} s, all after {answer.total:.1f} s ({rate:.1f} tokens/s)"
    )


def main() -> int:
    """Entry of `python -m scifi_llm.ask`."""
    parser = Parser(prog="ask", description="Ask a question through the proxy.")
    default = f"http://127.0.0.1:{setting('RAG_PORT')}/v1"
    parser.add_argument("--base-url", default=default, metavar="URL", help=f"default: {default}")
    parser.add_argument("--model", metavar="NAME", help="default: the first that is served")
    parser.add_argument("question", metavar="QUESTION")
    options = parser.parse_args()
    key = os.environ.get("RAG_API_KEY", "")
    model = options.model or served_model(options.base_url, key)
    answer = ask(options.base_url, options.question, model, key)
    if not answer.text.strip():
        raise ToolkitError("The model answered with no text.", "Ask again.")
    report(answer)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
