"""The small client, and what it says of servers that are not one."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.openai_api import served_model


class Stranger(BaseHTTPRequestHandler):
    """A program on the port that is no model server."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: Any) -> None:
        pass


def test_what_is_no_model_server_is_an_error_with_its_fix(free_port: int) -> None:
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(ToolkitError, match="No model is served at"):
            served_model(f"http://127.0.0.1:{server.server_port}/v1")
        thread.join()
    with pytest.raises(ToolkitError, match="Nothing answers at"):
        served_model(f"http://127.0.0.1:{free_port}/v1")
