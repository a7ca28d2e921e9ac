"""Benchmarks 1 to 4 with --quick against the real server, their report, and Ctrl+C in the first."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

REPO = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((REPO / "src/scifi_llm/benchmarks/result.schema.json").read_text("utf-8"))
SCRIPTS = {
    "throughput": "1_throughput.sh", "scaling": "2_context_scaling.py",
    "creative": "3_creative_quality.py", "coherence": "4_long_context_coherence.py",
}  # fmt: skip


def out(stack: Any) -> Path:
    folder: Path = stack.folder / "benchmarks" / "1-SmolLM2"
    return folder


def quick(stack: Any, kind: str) -> dict[str, Any]:
    """The result of a benchmark against vLLM itself."""
    url = f"http://127.0.0.1:{stack.vllm_port}/v1"
    words = ("--quick", "--base-url", url, "--out", str(out(stack)), "--fresh")
    stack.must(f"vllm/benchmarks/{SCRIPTS[kind]}", *words)
    files = sorted(out(stack).glob(f"{kind}_*.json"))
    data: dict[str, Any] = json.loads(files[-1].read_text("utf-8"))
    jsonschema.validate(data, SCHEMA)
    assert data["complete"] is True
    assert data["model"] == "SmolLM2-135M-Instruct"
    assert data["versions"]["server"].startswith("0.")
    return data


def test_throughput(stack: Any) -> None:
    rows = quick(stack, "throughput")["summary"]["rows"]
    assert [row["dataset"] for row in rows] == ["fiction", "random"]
    for row in rows:
        assert row["completed"] == row["asked"]
        for key in ("output_throughput", "mean_ttft_ms", "mean_tpot_ms", "mean_itl_ms"):
            assert row[key]["mean"] > 0


def test_scaling(stack: Any) -> None:
    rows = quick(stack, "scaling")["summary"]["sizes"]
    assert [row["size"] for row in rows] == [256, 512, 1024]
    tokens = [row["cold_prompt_tokens"]["mean"] for row in rows]
    assert tokens == sorted(tokens)
    assert all(row["errors"] == 0 for row in rows)


def test_the_second_request_finds_its_prefix(stack: Any) -> None:
    (file, *_) = out(stack).glob("scaling_*.json")
    for item in json.loads(file.read_text("utf-8"))["items"]:
        assert item["cached"]["cached_tokens"] >= item["cold"]["prompt_tokens"] // 2
        assert (
            not item["cold"]["cached_tokens"] or item["cold"]["cached_tokens"] < item["size"] // 4
        )


def test_creative(stack: Any) -> None:
    data = quick(stack, "creative")
    row = data["summary"]
    assert row["texts"] == 5
    assert row["errors"] == 0
    assert row["stopped"] + row["length"] == 5
    assert all(item["text"] for item in data["items"])


def test_coherence(stack: Any) -> None:
    data = quick(stack, "coherence")
    (row,) = data["summary"]["stories"].values()
    assert row["words"] > 50
    assert [point["depth"] for point in row["curve"]] == [100, 200]
    assert row["errors"] == 0


def test_comparison_and_report(stack: Any) -> None:
    folder = out(stack).parent
    python = Path(os.environ.get("VENVS_DIR", Path.home() / ".venvs")) / "llm/bin/python"
    code = (
        "import sys; sys.path.insert(0, 'src'); "
        "from scifi_llm.benchmarks import compare; compare.main()"
    )
    stack.must(str(python), "-c", code, str(folder), "--quick")
    (file,) = folder.glob("comparison_*.json")
    data = json.loads(file.read_text("utf-8"))
    jsonschema.validate(data, SCHEMA)
    assert data["complete"] is True
    page = (folder / "report.html").read_text("utf-8")
    for title in ("Comparison", "1. Throughput", "2. Context", "3. Prose", "4. Coherence"):
        assert f"<h2>{title}</h2>" in page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_the_report_without_errors(
    stack: Any, page: Any, tmp_path: Path, dark: bool
) -> None:
    file = out(stack).parent / "report.html"
    assert file.exists()  # written by the comparison above
    page.open(file.as_uri(), dark=dark, ready="document.querySelector('svg')")
    page.picture(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 10_000
    assert page.errors == []
    assert page.asked == [file.as_uri()]  # nothing from outside


def test_ctrl_c_in_throughput_leaves_nothing_running(stack: Any, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{stack.vllm_port}/v1"
    words = [
        "vllm/benchmarks/1_throughput.sh",
        "--quick",
        "--base-url",
        url,
        "--out",
        str(tmp_path),
    ]
    run = subprocess.Popen(
        words, cwd=REPO, env=stack.env, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    ends = time.monotonic() + 120
    while not any(b"bench\0serve" in line for line in group(run.pid)):
        assert time.monotonic() < ends
        time.sleep(0.2)
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert "[WARN] Interrupted" in said
    # A child that was hit while it started needs a moment to end by the same signal.
    ends = time.monotonic() + 30
    while left := group(run.pid):
        assert time.monotonic() < ends, left
        time.sleep(0.2)
    (file,) = tmp_path.glob("throughput_*.json")
    assert json.loads(file.read_text("utf-8"))["complete"] is False


def group(leader: int) -> list[bytes]:
    """Command lines of the living processes of a process group."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, _, pgid = (place / "stat").read_text().rsplit(") ", 1)[1].split(" ")[:3]
            if int(pgid) == leader and state != "Z":
                found.append((place / "cmdline").read_bytes())
        except OSError:
            continue
    return found
