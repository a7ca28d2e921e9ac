"""One Markdown file about machine, environments, settings and servers, without secrets.

`vllm/health_checks/13_sanity_snapshot.sh` runs it. Standard library only: it
tells also about a machine on which nothing is installed yet. Logs are private:
only their sizes are told.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ...console import Parser, log_next, log_ok, log_test, run_main
from ...errors import ToolkitError
from ...openai_api.server import http_url
from ...paths import REPO
from ...settings import defaults, setting
from .inventory import (
    LOCKS,
    Rows,
    caches,
    environment,
    gpu,
    human,
    machine,
    output,
    text_of,
    toolkit,
)

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
SECRETS = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY", "RAG_API_KEY", "UPSTREAM_API_KEY",
    "VLLM_API_KEY",
)  # fmt: skip
VARIABLES = (
    "ENGINE", "STACK", "MODEL", "HOST", "RAG_HOME", "RAG_HOST", "RAG_UPSTREAM_URL", "CHROMA_URL",
    "VENVS_DIR", "RUN_DIR", "SCIFI_LLM_CACHE", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT",
    "HF_HUB_OFFLINE", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "VLLM_ATTENTION_BACKEND",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
HIDDEN = "(not shown)"
SHORTEST_SECRET = 8  # shorter values, such as `false`, are words of the text by themselves
ASK_SECONDS = 5.0
NEXT = "./serve_rag_proxy.sh"


def redact(text: str, environ: Mapping[str, str], home: str) -> str:
    """`text` without what a reader must not see.

    User, password and query of URLs, values of secret variables; the home directory becomes ~.
    """
    text = re.sub(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/|]*@", r"\1", text)
    text = re.sub(r"(://[^\s|?#]*)[?#][^\s|]*", r"\1", text)
    secrets = {v.strip() for k, v in environ.items() if SECRET.search(k)}
    for value in sorted((s for s in secrets if len(s) >= SHORTEST_SECRET), key=len, reverse=True):
        text = text.replace(value, HIDDEN).replace(value.replace("|", "\\|"), HIDDEN)
    if len(home) > 1:
        text = re.sub(re.escape(home.rstrip("/")) + r"(?![\w.-])", "~", text)
    return text


def public(value: str) -> str:
    """A setting without what stands before its last @: a password may hold any character."""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", value)
    return (scheme[0] if scheme else "") + value.rpartition("@")[2] if "@" in value else value


def table(head: tuple[str, ...], rows: Rows) -> str:
    """A Markdown table; of an empty one only a line that says so."""
    if not rows:
        return "none\n"
    lines = [head, ("---",) * len(head), *rows]
    cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def settings(environ: Mapping[str, str]) -> Rows:
    """(name, value, origin) of every default, and of the variables that are set besides."""
    rows: Rows = []
    for name, default in defaults().items():
        own = environ.get(name, "").strip()
        changed = bool(own) and own != default
        shown = (HIDDEN if SECRET.search(name) else public(own)) if changed else default
        rows.append((name, shown, "environment" if changed else "lib/defaults.env"))
    others = ((name, environ.get(name, "").strip()) for name in VARIABLES)
    return rows + [(name, public(value), "environment") for name, value in others if value]


def run_folder() -> Path:
    """Where pids and logs are."""
    return Path(os.environ.get("RUN_DIR") or REPO / "run")


def started(pid: str) -> str:
    """Field 22 of /proc/PID/stat, as lib/server.sh notes it; "" where there is no such process."""
    words = text_of(Path("/proc") / pid / "stat").rpartition(") ")[2].split()
    return words[19] if len(words) > 19 and words[0] != "Z" else ""


def pid_rows(folder: Path) -> Rows:
    """(server, pid, what it serves, state, size of its log) of every pid file."""
    rows: Rows = []
    for file in sorted(folder.glob("*.pid")):
        pid, since, served = [*text_of(file).split(" ", 2), "", "", ""][:3]
        alive = pid.isdigit() and since != "" and started(pid) == since
        log = folder / f"{file.stem}.log"
        size = human(log.stat().st_size) if log.exists() else "no log"
        rows.append((file.stem, pid, served, "running" if alive else "ended", size))
    return rows


def ports(folder: Path, base_url: str) -> list[int]:
    """The ports that are looked at: the defaults', those of our servers, that of `base_url`."""
    found = {setting("VLLM_PORT"), setting("RAG_PORT"), str(urlsplit(base_url).port or "")}
    found |= {file.stem.rpartition("-")[2] for file in folder.glob("*.pid")}
    return sorted(int(port) for port in found if port.isdigit())


def listeners(port: int) -> str:
    """Addresses and programs that listen on a port."""
    seen = []
    for line in output("ss", "-ltnpH", f"sport = :{port}").splitlines():
        words = line.split()
        program = re.search(r'\("([^"]+)",pid=(\d+)', line)
        who = f" ({program[1]}, pid {program[2]})" if program else ""
        seen.append((words[3] if len(words) > 3 else "?") + who)
    return ", ".join(seen) or "nobody"


def answer(url: str, key: str) -> object:
    """The JSON behind a URL of this machine, or None."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key or 'EMPTY'}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=ASK_SECONDS) as response:
            return json.load(response)
    except (OSError, ValueError):
        return None


def models(base_url: str, environ: Mapping[str, str]) -> str:
    """The models that a server names."""
    for name in ("OPENAI_API_KEY", "RAG_API_KEY"):
        found = answer(f"{base_url}/models", environ.get(name, ""))
        entries = found.get("data") if isinstance(found, dict) else None
        if isinstance(entries, list):
            named = (entry for entry in entries if isinstance(entry, dict))
            return ", ".join(
                f"{one.get('id')} (max_model_len {one.get('max_model_len')})" for one in named
            )
    return "no answer"


def servers(base_url: str, environ: Mapping[str, str]) -> Rows:
    """(address, who listens, models) of every port."""
    rows: Rows = []
    for port in ports(run_folder(), base_url):
        own = base_url if urlsplit(base_url).port == port else f"http://127.0.0.1:{port}/v1"
        rows.append((public(own), listeners(port), models(own, environ)))
    return rows


def document(base_url: str, environ: Mapping[str, str], home: str) -> str:
    """The whole snapshot."""
    pair = ("what", "value")
    parts = [
        "# Snapshot of the toolkit",
        time.strftime("Taken %Y-%m-%d %H:%M:%S %z"),
        "## Toolkit", table(pair, toolkit()),
        "## Machine", table(pair, machine()),
        "## GPU", table(pair, gpu()),
        "## Servers", table(("address", "listens", "models"), servers(base_url, environ)),
        table(("server", "pid", "serves", "state", "log"), pid_rows(run_folder())),
        "## Settings", table(("name", "value", "from"), settings(environ)),
        "Secrets: " + ", ".join(f"{n} {'set' if environ.get(n) else 'unset'}" for n in SECRETS),
        "## Caches of models", table(("folder", "size"), caches()),
    ]  # fmt: skip
    for name in LOCKS:
        line, rows = environment(name)
        parts += [f"## Environment {name}", line]
        parts += [table(("package", "version", "lock"), rows)] if rows else []
    return redact("\n\n".join(part.rstrip("\n") for part in parts) + "\n", environ, home)


def main() -> int:
    """Entry of 13_sanity_snapshot.sh."""
    parser = Parser(prog="13_sanity_snapshot.sh")
    default = f"http://127.0.0.1:{setting('VLLM_PORT')}/v1"
    parser.add_argument("--base-url", type=http_url, default=default, metavar="URL")
    parser.add_argument("--out", type=Path, metavar="FILE")
    options = parser.parse_args()
    out = options.out or run_folder() / time.strftime("snapshot_%Y%m%d_%H%M%S.md")
    home = str(Path.home())
    log_test("Looking at machine, environments, settings and servers")
    text = document(options.base_url, os.environ, home)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ToolkitError(
            f"{out} cannot be written: {error.strerror}.", "Name another file: --out FILE"
        ) from None
    log_ok(f"Written to {out} ({len(text.splitlines())} lines, without secrets)")
    log_next(NEXT)
    return 0


if __name__ == "__main__":
    sys.exit(run_main(main))
