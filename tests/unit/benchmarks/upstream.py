"""A server that answers by rule: OpenAI's chat protocol, streamed, without a model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Rule = Callable[[dict[str, Any]], tuple[str, str]]  # body -> text, finish_reason


def handler(rule: Rule, model: str, seen: list[dict[str, Any]], pause: float) -> type:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/v1/models":
                entry = {"id": model, "object": "model", "root": model, "max_model_len": 65536}
                self.reply({"object": "list", "data": [entry]})
            elif self.path == "/version":
                self.reply({"version": "0.0.rule"})
            else:
                self.send_error(404)

        def reply(self, data: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append(body)
            time.sleep(pause)
            text, reason = rule(body)
            if reason in ("error", "gone"):
                status = 400 if reason == "error" else 503
                self.reply(
                    {"error": {"message": text, "type": "x", "param": None, "code": status}}, status
                )
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            prompt = sum(len(m["content"].split()) for m in body["messages"])
            usage = {"prompt_tokens": prompt, "completion_tokens": len(text.split())}
            first, last = {"content": text[:1]}, {"content": text[1:]}
            for event in (
                {"choices": [{"delta": first}]},
                {"choices": [{"delta": last, "finish_reason": reason}]},
                {"choices": [], "usage": usage},
            ):
                self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *words: Any) -> None:
            pass

    return Handler


@contextmanager
def serving(
    rule: Rule, model: str = "rule", pause: float = 0.0
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield (base URL, bodies of the requests so far)."""
    seen: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(rule, model, seen, pause))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
