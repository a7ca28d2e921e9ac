"""The comparison of two real models: both served in turn, measured by 1 to 4, ranked. Ctrl+C in the
middle of the second, and the same command again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest

REPO = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((REPO / "src/scifi_llm/benchmarks/result.schema.json").read_text("utf-8"))
SMALL, SHALLOW = "SmolLM2-135M-Instruct", "Shallow"
KINDS = ("throughput", "scaling", "creative", "coherence")


@dataclass
class Comparison:
    """What was seen of it: `said` of both runs, what was left of the first, where results are."""

    folder: Path
    port: int
    words: list[str]
    env: dict[str, str]
    said: list[str] = field(default_factory=list)
    kept: dict[str, bool] = field(default_factory=dict)
    left: list[bytes] = field(default_factory=list)
    status: int = -1

    def results(self, model: str, kind: str) -> dict[str, Any]:
        """The finished result of a model."""
        (place,) = self.folder.glob(f"comparison_*/?-{model}")
        (file,) = place.glob(f"{kind}_*.json")
        data: dict[str, Any] = json.loads(file.read_text("utf-8"))
        jsonschema.validate(data, SCHEMA)
        assert data["complete"] is True
        assert data["model"] == model
        assert data["versions"]["server"].startswith("0.")
        return data

    def interrupt(self, log: Path) -> None:
        """Run until the second model's throughput is being measured, then press Ctrl+C."""
        with log.open("w") as out:
            run = subprocess.Popen(
                self.words, cwd=REPO, env=self.env, start_new_session=True, stdout=out,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            self.wait(run, log)
            os.killpg(run.pid, signal.SIGINT)
            self.status = run.wait(timeout=60)
        finally:
            if run.poll() is None:
                run.terminate()
                run.wait(timeout=60)
        self.said.append(log.read_text("utf-8"))
        self.left = of_session(run.pid) + commands(str(self.port).encode())
        for file in self.folder.glob("comparison_*/*/*.json"):
            name = f"{file.parent.name} {file.name.split('_')[0]}"
            self.kept[name] = json.loads(file.read_text("utf-8"))["complete"]

    def wait(self, run: subprocess.Popen[bytes], log: Path) -> None:
        ends = time.monotonic() + 400
        while not any(b"bench\0serve" in line and b"Shallow" in line for line in commands()):
            assert run.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < ends, log.read_text("utf-8")
            time.sleep(0.2)

    def go_on(self) -> None:
        """The same command, to its end."""
        done = subprocess.run(
            self.words, cwd=REPO, env=self.env, text=True, check=False, timeout=400,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        self.said.append(done.stdout)


def processes() -> Iterator[tuple[int, bytes]]:
    """(session, command line) of the living processes."""
    for place in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (place / "stat").read_text().rsplit(") ", 1)[1].split(" ")[:4]
            if state != "Z":
                yield int(session), (place / "cmdline").read_bytes()
        except OSError:
            continue


def of_session(leader: int) -> list[bytes]:
    return [line for session, line in processes() if session == leader]


def commands(word: bytes = b"") -> list[bytes]:
    return [line for _, line in processes() if word in line.split(b"\0") or not word]


@pytest.fixture(scope="module")
def compared(
    tmp_path_factory: pytest.TempPathFactory, shallow: Path, new_port: Callable[[], int]
) -> Comparison:
    folder = tmp_path_factory.mktemp("comparison")
    port, out = new_port(), folder / "results"
    script = str(REPO / "vllm/benchmarks/5_model_comparison.sh")
    words = [script, SMALL, str(shallow), "--quick", "--port", str(port), "--out", str(out)]
    own = {"ENGINE": "cpu", "HF_HUB_OFFLINE": "1", "RUN_DIR": str(folder / "run")}
    made = Comparison(out, port, words, {**os.environ, **own})
    made.interrupt(folder / "first.log")
    made.go_on()
    return made


def test_ctrl_c_in_the_second_model(compared: Comparison) -> None:
    said = compared.said[0]
    assert compared.status == 130, said
    assert said.count("[WARN] Interrupted. What was finished is kept in") == 1
    assert "Traceback" not in said
    assert compared.left == []
    assert f"[OK] Port {compared.port} is free." in said
    assert compared.kept == {
        **{f"1-{SMALL} {kind}": True for kind in KINDS},
        f"2-{SHALLOW} throughput": False,
    }


def test_the_same_command_goes_on(compared: Comparison) -> None:
    said = compared.said[1]
    assert "[OK] Going on with " in said
    assert f"[OK] {SMALL} is measured already" in said
    assert "[OK] Going on with throughput_" in said
    assert said.count("[OK] vLLM is ready after") == 1
    assert "Traceback" not in said
    assert not list((compared.folder.parent / "run").glob("*.pid"))


@pytest.mark.parametrize("model", [SMALL, SHALLOW])
def test_throughput(compared: Comparison, model: str) -> None:
    rows = compared.results(model, "throughput")["summary"]["rows"]
    assert [row["dataset"] for row in rows] == ["fiction", "random"]
    for row in rows:
        assert row["completed"] == row["asked"]
        for key in ("output_throughput", "mean_ttft_ms", "mean_tpot_ms", "mean_itl_ms"):
            assert row[key]["mean"] > 0


@pytest.mark.parametrize("model", [SMALL, SHALLOW])
def test_scaling_and_its_cached_prefixes(compared: Comparison, model: str) -> None:
    data = compared.results(model, "scaling")
    rows = data["summary"]["sizes"]
    assert [row["size"] for row in rows] == [256, 512, 1024]
    tokens = [row["cold_prompt_tokens"]["mean"] for row in rows]
    assert tokens == sorted(tokens)
    assert all(row["errors"] == 0 for row in rows)
    for item in data["items"]:
        assert item["cached"]["cached_tokens"] >= item["cold"]["prompt_tokens"] // 2
        assert (item["cold"]["cached_tokens"] or 0) < item["size"] // 4


@pytest.mark.parametrize("model", [SMALL, SHALLOW])
def test_creative(compared: Comparison, model: str) -> None:
    data = compared.results(model, "creative")
    row = data["summary"]
    assert row["texts"] == len(data["items"]) >= 3
    assert row["errors"] == 0
    assert row["stopped"] + row["length"] == row["texts"]
    assert all(item["text"] for item in data["items"])


@pytest.mark.parametrize("model", [SMALL, SHALLOW])
def test_coherence(compared: Comparison, model: str) -> None:
    (row,) = compared.results(model, "coherence")["summary"]["stories"].values()
    assert row["words"] > 50
    assert [point["depth"] for point in row["curve"]] == [100, 200]
    assert row["errors"] == 0


def test_ranks_and_report(compared: Comparison) -> None:
    (place,) = compared.folder.glob("comparison_*")
    (file,) = place.glob("comparison_*.json")
    data = json.loads(file.read_text("utf-8"))
    jsonschema.validate(data, SCHEMA)
    assert data["complete"] is True
    assert [item["key"] for item in data["items"]] == [SMALL, SHALLOW]
    measures = {measure["name"]: measure for measure in data["summary"]["measures"]}
    assert all(set(m["estimates"]) == {SMALL, SHALLOW} for m in measures.values())
    # Five layers write no prose, and are fast.
    scored = measures["texts with prose enough to score"]["estimates"]
    assert scored[SHALLOW]["mean"] == 0 < scored[SMALL]["mean"]
    assert measures["facts recalled, plain"]["ranks"][SMALL] == 1
    speed = measures["tokens/s, fiction prompts, 2 at once"]["estimates"]
    assert speed[SHALLOW]["mean"] > speed[SMALL]["mean"]
    page = (place / "report.html").read_text("utf-8")
    for title in ("Comparison", "1. Throughput", "2. Context", "3. Prose", "4. Coherence"):
        assert f"<h2>{title}</h2>" in page
    assert "<b>#1</b>" in page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_shows_the_report_without_errors(
    compared: Comparison, page: Any, tmp_path: Path, dark: bool
) -> None:
    (file,) = compared.folder.glob("comparison_*/report.html")
    page.open(file.as_uri(), dark=dark, ready="document.querySelector('svg')")
    page.picture(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 10_000
    assert page.errors == []
    assert page.asked == [file.as_uri()]  # nothing from outside


def test_a_judge_compares_both(compared: Comparison, stack: Any) -> None:
    places = [compared.folder.glob(f"*/?-{model}/creative_*.json") for model in (SMALL, SHALLOW)]
    (own,), (other,) = places
    judge = ("--judge", f"http://127.0.0.1:{stack.rag_port}/v1", SMALL)
    script = "vllm/benchmarks/3_creative_quality.py"
    stack.must(script, *judge, "--of", str(own), "--against", str(other))
    found = compared.results(SMALL, "creative")["summary"]["judge"]
    assert (found["model"], found["against"], found["pairs"]) == (SMALL, other.name, 3)
    counts = [found[name] for name in ("won", "lost", "tied_or_turned", "unclear")]
    assert sum(counts) == 3


def test_what_the_proxys_canon_changes(stack: Any, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{stack.rag_port}/v1"
    facts = tmp_path / "facts.yaml"
    facts.write_text("- {subject: Elena Ruhl, attribute: age, value: 34}\n")
    words = ["--quick", "--chapters", "1", "--words", "40", "--facts", str(facts)]
    words += ["--base-url", url, "--out", str(tmp_path)]
    said = stack.must("vllm/benchmarks/4_long_context_coherence.py", *words)
    (file,) = tmp_path.glob("coherence_*.json")
    data = json.loads(file.read_text("utf-8"))
    jsonschema.validate(data, SCHEMA)
    assert data["summary"]["stories"].keys() == {"canon", "no canon"}
    effect = data["summary"]["canon_effect"]
    assert effect["n"] == 2
    assert f"Canon changes recall by {effect['mean']:+.2f}" in said
    read = {
        (item["story"], item["fact"], item["depth"]): item["prompt_tokens"]
        for item in data["items"]
        if item["kind"] == "answer"
    }
    for story, *question in read:
        if story == "canon":
            assert read["canon", *question] > 2 * read["no canon", *question]
