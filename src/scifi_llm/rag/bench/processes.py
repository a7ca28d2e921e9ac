"""Start the servers that are measured, each on a core of its own, and end them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...console import log_test
from ...errors import ToolkitError
from ...openai_api import fetch
from ...paths import REPO, model_cache, venvs_dir
from ...settings import setting

LITELLM = "1.106.2"
# It asks for a key of 16 characters or more otherwise, and a check of it would be counted.
LITELLM_ENV = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
START_SECONDS = 180.0
CORES = sorted(os.sched_getaffinity(0))


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(
    name: str, command: list[str], ready: str, log: Path, core: int | None, env: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process, from the moment when `ready` answers with 200 until it is ended.

    It has the core to itself, or all of them where that is None.
    Raises ToolkitError where it ends or does not answer.
    """
    environment = {**os.environ, "PYTHONPATH": str(REPO / "src"), **env}
    with log.open("wb") as out:
        made = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        if core is not None:
            os.sched_setaffinity(made.pid, {CORES[core % len(CORES)]})
        until = time.monotonic() + START_SECONDS
        while fetch(ready, 2) is None:
            if made.poll() is not None or time.monotonic() > until:
                raise ToolkitError(f"{name} did not start: {_reason(made.poll(), log)}")
            time.sleep(0.2)
        yield made
    finally:
        made.terminate()
        try:
            made.wait(20)
        except subprocess.TimeoutExpired:
            made.kill()
            made.wait()


def _reason(status: int | None, log: Path) -> str:
    """Why a server did not start: its log lies in a folder that is gone when this is read."""
    lines = log.read_text("utf-8", "replace").strip().splitlines()
    last = lines[-1].removeprefix("[ERROR] ") if lines else ""
    if status is None:
        return f"no answer within {START_SECONDS:.0f} s; last it said: {last}"
    return last or f"it ended with status {status}"


def upstream_command(port: int) -> list[str]:
    """The mock upstream, with the tokenizer of the bundled model where that is here."""
    folder = model_cache() / setting("CPU_MODEL")
    root = [str(folder)] if (folder / "tokenizer.json").exists() else []
    return [sys.executable, "-m", "scifi_llm.rag.bench.upstream", str(port), *root]


def proxy_command(collection: str, port: int, upstream: int) -> list[str]:
    """The proxy as an author starts it."""
    script = str(REPO / "RAG" / "serve_rag_proxy.py")
    url = f"http://127.0.0.1:{upstream}/v1"
    named = [collection] if collection else []
    return [sys.executable, script, *named, "--port", str(port), "--upstream", url]


def litellm_command(folder: Path, port: int, upstream: int) -> list[str]:
    """LiteLLM's proxy from an environment of its own, which is made where it is missing."""
    venv = venvs_dir() / "bench-litellm"
    if not (venv / "bin" / "litellm").exists():
        log_test(f"Installing LiteLLM {LITELLM} into {venv} (400 MB, some minutes)")
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        made = subprocess.run(
            [str(venv / "bin" / "pip"), "install", "-q", f"litellm[proxy]=={LITELLM}"],
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise ToolkitError(f"LiteLLM could not be installed: {made.stderr[-300:]}")
    config = folder / "litellm.yaml"
    parameters = {
        "model": "openai/mock",
        "api_base": f"http://127.0.0.1:{upstream}/v1",
        "api_key": "EMPTY",
    }
    entry = {"model_name": "mock", "litellm_params": parameters}
    config.write_text(json.dumps({"model_list": [entry]}), encoding="utf-8")  # JSON is YAML
    command = [str(venv / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1"]
    return [*command, "--port", str(port), "--num_workers", "1", "--telemetry", "False"]


def load(url: str, core: int, **what: str | int | float) -> dict[str, Any]:
    """Run the load generator on a core and return what it measured."""
    arguments = [f"{key}={value}" for key, value in what.items()]
    command = ["taskset", "-c", str(CORES[core % len(CORES)]), sys.executable, "-m"]
    command += ["scifi_llm.rag.bench.load", url, *arguments]
    made = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(REPO / "src")},
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise ToolkitError(f"The load generator failed: {made.stderr[-300:]}")
    found: dict[str, Any] = json.loads(made.stdout)
    return found


def metric(url: str, line: str) -> float:
    """The value of a line of a proxy's /metrics, 0 where it is not there."""
    found = re.search(rf"^{re.escape(line)} (\S+)$", fetch(f"{url}/metrics", 10) or "", re.M)
    return float(found[1]) if found else 0.0
