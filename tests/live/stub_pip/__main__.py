"""`pip install` that takes its time, then shows this environment the packages of the real one.

STUB_PIP_REAL is the folder of the real environments, STUB_PIP_LOG gets a JSON line a call and
STUB_PIP_SECONDS is how long an installation takes. The first half of it leaves a torn package.
"""

import json
import os
import sys
import sysconfig
import time
from pathlib import Path

VLLM = '''#!/usr/bin/env python3
"""A server of OpenAI's API that answers one sentence."""
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def answer(self, kind, data):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        self.answer("application/json", json.dumps({"data": [{"id": "stub"}]}).encode())
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        chunk = {"choices": [{"index": 0, "delta": {"content": "A made-up answer."}}]}
        events = f"data: {json.dumps(chunk)}\\n\\ndata: [DONE]\\n\\n"
        self.answer("text/event-stream", events.encode())

port = int(sys.argv[sys.argv.index("--port") + 1])
ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
'''


def log(entry: dict[str, object]) -> None:
    with Path(os.environ["STUB_PIP_LOG"]).open("a") as out:
        out.write(json.dumps(entry) + "\n")


def install() -> None:
    started = time.time()
    name = Path(sys.prefix).name
    site = Path(sysconfig.get_path("purelib"))
    torn = site / "torch-2.13.0+cpu.dist-info"
    seconds = float(os.environ["STUB_PIP_SECONDS"])
    torn.mkdir(exist_ok=True)
    (torn / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0+cpu\n")
    time.sleep(seconds)
    (torn / "METADATA").unlink(missing_ok=True)
    torn.rmdir()
    real = Path(os.environ["STUB_PIP_REAL"]) / name
    (packages,) = real.glob("lib/python*/site-packages")
    # Behind src, where this stub is, and before an older setuptools of ensurepip.
    (site / "real.pth").write_text(f"import sys; sys.path.insert(1, {str(packages)!r})\n")
    if name == "llm":
        vllm = Path(sys.prefix) / "bin" / "vllm"
        vllm.write_text(VLLM)
        vllm.chmod(0o755)
    log({"argv": sys.argv[1:], "start": started, "end": time.time()})


if sys.argv[1] == "--version":
    print("pip 0 (stub)")
elif sys.argv[1] == "install":
    install()
