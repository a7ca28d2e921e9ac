# ruff: noqa: E501  # sentences and scripts are read as a whole
"""Ctrl+C in the middle of each benchmark and of the comparison's second model."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[3]
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
SERVE = """#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "$0")/lib/common.sh"; source "$REPO/lib/server.sh"
[[ $1 != broken ]] || { echo "[ERROR] no such model" >&2; exit 1; }
start_detached "vllm-$2" "$1" python3 "$REPO/vllm_server.py" vllm "$2"
wait_ready "vllm-$2" vLLM "http://127.0.0.1:$2/health" 60
"""
# A benchmark that notes its model and, for the third, waits until it is interrupted.
MEASURE = """#!/usr/bin/env bash
set -euo pipefail
source "$(dirname "$0")/../../lib/common.sh"
while (($#)); do case $1 in --out) out=$2 ;; esac; shift; done
echo "$(basename "$0") $(basename "$out")" >>"$REPO/calls"
if [[ $0 == *3_creative* && $out == */2-* && ! -e $REPO/go ]]; then touch "$REPO/waiting"; sleep 60; fi
python3 -c 'import json, sys; sys.path.insert(0, sys.argv[1] + "/src")
from pathlib import Path
from scifi_llm.benchmarks import results
from scifi_llm.benchmarks.target import Target
kind, out = sys.argv[2], sys.argv[3]
summaries = {"throughput": {"rows": []}, "scaling": {"sizes": []}, "coherence": {"stories": {}},
             "creative": {"tones": {}, **dict.fromkeys(("scored", "overall", "vocabulary", "structure", "creativity"),
                                                       {"mean": 1, "low": 0, "high": 2})}}
run = results.start(kind, Target("u", Path(out).name), {}, 1, out, True)
run.finish(summaries[kind])' "$REPO" "$KIND" "$out"
"""
SCRIPTS = {
    "1_throughput.sh": "throughput", "2_context_scaling.py": "scaling",
    "3_creative_quality.py": "creative", "4_long_context_coherence.py": "coherence",
}  # fmt: skip


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "never came true"
        time.sleep(0.05)


def items(out: Path) -> list[Any]:
    for file in out.glob("*.json"):
        found: list[Any] = json.loads(file.read_text("utf-8"))["items"]
        return found
    return []


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("creative", ["--repeats", "1"]),
        ("scaling", ["--sizes", "1024", "--repeats", "9"]),
        ("coherence", ["--chapters", "4", "--words", "60"]),
    ],
)
def test_ctrl_c_in_a_benchmark(serving: Any, tmp_path: Path, module: str, words: list[str]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(REPO / 'src')!r}); from scifi_llm.console import run_main; "
        f"from scifi_llm.benchmarks.{module} import main; sys.argv[0] = 'x'; sys.exit(run_main(main))"
    )
    with serving(lambda body: ("She waited. " * 60, "stop"), pause=0.1) as (url, _):
        line = [sys.executable, "-c", code, "--base-url", url, "--out", str(tmp_path), *words]
        run = subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        until(lambda: len(items(tmp_path)) >= 2)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
        assert run.returncode == 130
        assert "[WARN] Interrupted. What was finished is kept" in err
        assert "Traceback" not in err
        kept = items(tmp_path)
        assert len(kept) >= 2
        again = subprocess.run(line, capture_output=True, text=True, check=True, timeout=60)
    assert f"{len(kept)} items are there" in again.stdout
    (file,) = tmp_path.glob("*.json")
    data = json.loads(file.read_text("utf-8"))
    assert data["complete"] is True
    assert data["items"][: len(kept)] == kept


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The comparison with servers and benchmarks that only pretend."""
    repo = tmp_path / "repo"
    (repo / "vllm" / "benchmarks").mkdir(parents=True)
    for name in ("lib", "src"):
        shutil.copytree(REPO / name, repo / name)
    shutil.copy(REPO / "stop_vllm.sh", repo)
    shutil.copy(REPO / "vllm/benchmarks/5_model_comparison.sh", repo / "vllm/benchmarks")
    shutil.copy(REPO / "pyproject.toml", repo)
    (repo / "vllm_server.py").write_text(SERVER)
    (repo / "serve_vllm.sh").write_text(SERVE)
    (repo / "serve_vllm.sh").chmod(0o755)
    for name, kind in SCRIPTS.items():
        file = repo / "vllm" / "benchmarks" / name
        file.write_text(MEASURE.replace("$KIND", kind))
        file.chmod(0o755)
    return repo


def environment(repo: Path) -> dict[str, str]:
    venvs = repo.parent / "venvs" / "llm" / "bin"
    if not venvs.exists():
        venvs.mkdir(parents=True)
        (venvs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (venvs / "python").chmod(0o755)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "VENVS_DIR": str(venvs.parents[1]), "RUN_DIR": str(repo / "run"), "PATH": path,
            "ENGINE": "cpu"}  # fmt: skip


def servers(repo: Path) -> list[int]:
    """Pids of the servers of this copy. (Its port may be another program's as soon as it is free.)"""
    mark, found = str(repo / "vllm_server.py").encode(), []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "cmdline").read_bytes().split(b"\0"):
                found.append(int(place.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "script"])
def test_ctrl_c_in_the_second_model(copy: Path, free_port: int, whole_group: bool) -> None:
    line = [
        str(copy / "vllm/benchmarks/5_model_comparison.sh"),
        "first",
        "second",
        "--port",
        str(free_port),
    ]
    run = subprocess.Popen(
        line, env=environment(copy), start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    until((copy / "waiting").exists)
    assert len(servers(copy)) == 1
    (os.killpg if whole_group else os.kill)(run.pid, signal.SIGINT)
    out, _ = run.communicate(timeout=30)
    assert run.returncode == 130, out
    assert "[WARN] Interrupted. What was finished is kept in" in out
    assert servers(copy) == []
    assert not list((copy / "run").glob("*.pid"))
    (folder,) = (copy / "vllm/benchmarks/results").glob("comparison_*")
    assert len(list((folder / "1-first").glob("*.json"))) == 4
    assert len(list((folder / "2-second").glob("*.json"))) == 2

    (copy / "go").touch()
    calls = (copy / "calls").read_text().splitlines()
    again = subprocess.run(line, env=environment(copy), capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert f"[OK] Going on with {folder}" in again.stdout
    assert "[OK] first is measured already" in again.stdout
    new = (copy / "calls").read_text().splitlines()[len(calls) :]
    # What the second model has is not measured again.
    assert new == ["3_creative_quality.py 2-second", "4_long_context_coherence.py 2-second"]
    assert (folder / "report.html").exists()
    assert servers(copy) == []


def test_a_model_that_does_not_start_is_left_out(copy: Path, free_port: int) -> None:
    (copy / "go").touch()
    line = [
        str(copy / "vllm/benchmarks/5_model_comparison.sh"),
        "broken",
        "second",
        "--port",
        str(free_port),
    ]
    done = subprocess.run(line, env=environment(copy), capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
    assert done.returncode == 2
    assert "[WARN] Not complete: broken. The same command tries them again." in done.stderr
    assert servers(copy) == []


def test_two_models_of_one_name_could_not_be_told_apart(copy: Path, free_port: int) -> None:
    line = [str(copy / "vllm/benchmarks/5_model_comparison.sh"), "a/voice", "b/voice/", "--port",
            str(free_port)]  # fmt: skip
    done = subprocess.run(line, env=environment(copy), capture_output=True, text=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "[ERROR] Two of the models are called voice. Name each model once, and give folders names of their own.\n"
    )
    assert not (copy / "vllm/benchmarks/results").exists()
