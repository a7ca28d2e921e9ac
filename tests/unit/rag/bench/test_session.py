"""The session's own parts: what counts as the same beginning, the targets, chart and recorder."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from scifi_llm.rag.bench.plot import chart
from scifi_llm.rag.bench.recorder import recording
from scifi_llm.rag.bench.session import stays, summary


def bodies(*talks: list[str]) -> list[bytes]:
    return [
        json.dumps({"messages": [{"role": "user", "content": text} for text in talk]}).encode()
        for talk in talks
    ]


def turns(times: list[float], reused: list[float | None]) -> list[dict[str, Any]]:
    return [
        {"first_token_s": time, "reused": part, "prompt_tokens": 100 * i, "cached_tokens": 50 * i}
        for i, (time, part) in enumerate(zip(times, reused, strict=True), 1)
    ]


def test_the_same_beginning_means_every_byte() -> None:
    assert stays(bodies(["a"], ["a", "b"], ["a", "b", "c"]))
    assert not stays(bodies(["a"], ["a ", "b"]))
    assert not stays(bodies(["a", "b"], ["a"]))
    assert not stays(bodies(["a"], ["ab"]))


@pytest.mark.parametrize(
    ("reused", "last", "same", "met"),
    [(0.95, 3.0, True, True), (0.89, 3.0, True, False), (0.95, 3.5, True, False),
     (0.95, 3.0, False, False)],
)  # fmt: skip
def test_both_targets_and_the_beginnings_must_hold(
    reused: float, last: float, same: bool, met: bool
) -> None:
    found = {
        "stable": {
            "turns": turns([2.0, 2.5, last], [None, 1.0, reused]),
            "each_request_begins_with_the_one_before": same,
        },
        "system": {"turns": turns([2.0, 5.0, 10.0], [None, 0.1, 0.1])},
    }
    told = summary(found)
    assert (told["least_reused_by_stable"], told["targets_met"]) == (reused, met)


def test_the_chart_is_one_file_of_two_panels() -> None:
    found = {name: {"turns": turns([1.0, 9.0], [None, 0.5])} for name in ("stable", "<odd>")}
    root = ElementTree.fromstring(chart(found))
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}g")) == 2
    assert len(root.findall(f".//{space}polyline")) == 4
    assert "href" not in chart(found)


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *_: Any) -> None: ...


def test_the_recorder_passes_everything_and_keeps_chats() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with (
            recording(f"http://127.0.0.1:{server.server_port}/v1") as recorder,
            httpx.Client(base_url=f"http://127.0.0.1:{recorder.port}/v1/") as client,
        ):
            for path in ("chat/completions", "models", "chat/completions"):
                assert client.post(path, content=path.encode()).content == path.encode()[::-1]
        assert recorder.bodies == [b"chat/completions"] * 2
    finally:
        server.shutdown()
        server.server_close()
