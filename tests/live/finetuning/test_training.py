"""Training on a tiny model: packing, variants, interruption and resume, merging."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

PROBE = Path(__file__).with_name("probe.py")
STEPS = 24
CONFIG = """
model: {model}
method: {method}
dtype: float32
max_length: 128
lora: {{rank: 8, alpha: 16, dropout: 0.1}}
train: {{batch: 1, accumulate: 2, learning_rate: 1e-3, optimizer: adamw_torch,
        gradient_checkpointing: false, max_steps: 24}}
evaluate: {{every: 8, patience: 0, sample_tokens: 8, prompts: ["The night"]}}
"""
ALL_LINEAR = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


@pytest.fixture(scope="module")
def inside(tools: Any, tiny: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        tools.must(tools.python, PROBE, "inside", tiny, tools.folder / "probe").splitlines()[-1]
    )
    return found


def test_packing_loses_no_token(inside: dict[str, Any]) -> None:
    found = inside["packing"]
    assert found["tokens"] > 200_000
    assert found["same_tokens"]
    assert found["same_labels"]
    assert found["longest"] == 64
    assert found["full"] > 0.97


def test_packed_texts_do_not_see_each_other(inside: dict[str, Any]) -> None:
    found = inside["contamination"]
    assert found["texts"] >= 3
    assert found["difference"] < 1e-4
    assert found["without_positions"] > 0.01  # the check can fail
    assert found["boundary_labels"] == 0


@pytest.mark.parametrize("name", ["lora", "qlora", "rslora", "dora", "lora_plus", "checkpointing"])
def test_every_kind_of_adapter_trains(inside: dict[str, Any], name: str) -> None:
    found = inside["variants"][name]
    assert len(found["losses"]) == 2
    assert all(0 < loss < 20 for loss in found["losses"])
    assert found["dtypes"] == ["torch.float32"]
    assert found["adapted"] == ALL_LINEAR
    assert found["moved"]
    assert found["scale"] == pytest.approx(8.0 if name == "rslora" else 2.0)


def test_nf4_with_double_quantization(inside: dict[str, Any]) -> None:
    found = inside["variants"]
    assert (found["qlora"]["four_bit"], found["qlora"]["kinds"]) == (14, ["nf4"])
    assert found["qlora"]["nested"]
    assert found["lora"]["four_bit"] == 0


def test_lora_plus_has_two_rates(inside: dict[str, Any]) -> None:
    low, high = inside["variants"]["lora_plus"]["rates"]
    assert high == pytest.approx(16 * low)


def test_a_run_ends_early_and_keeps_its_best(inside: dict[str, Any]) -> None:
    found = inside["early_end"]
    assert found["steps"] < 60
    assert len(found["losses"]) == found["steps"] // 2
    assert min(found["losses"][-2:]) > min(found["losses"])
    assert found["kept"] == pytest.approx(min(found["losses"]), abs=1e-5)


def losses(out: Path) -> list[tuple[int, float, float]]:
    lines = map(json.loads, (out / "log.jsonl").read_text("utf-8").splitlines())
    return [(line["step"], line["loss"], line["grad_norm"]) for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def runs(tools: Any, tiny: Path, small: Path) -> dict[str, Path]:
    """An uninterrupted run, and one that Ctrl+C ends between checkpoints and that goes on."""
    config = tools.folder / "tiny.yaml"
    config.write_text(CONFIG.format(model=tiny, method="qlora"), "utf-8")
    whole, broken = tools.folder / "whole", tools.folder / "broken"
    command = [tools.script("2_train.py"), "--config", config, "--data", small]
    tools.must(*command, "--out", whole)
    process = subprocess.Popen(
        [str(word) for word in [*command, "--out", broken]], env=tools.env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        log = broken / "log.jsonl"
        if log.exists() and len(losses(broken)) >= 3:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Go on with: fine-tuning/scripts/2_train.py --config" in errors
    assert len(losses(broken)) < STEPS
    tools.must(*command, "--out", broken, "--resume")
    return {"whole": whole, "broken": broken, "config": config}


def test_a_resumed_run_repeats_every_loss(runs: dict[str, Path]) -> None:
    whole, broken = losses(runs["whole"]), losses(runs["broken"])
    assert [step for step, *_ in whole] == list(range(1, STEPS + 1))
    assert broken == whole
    one, other = (runs[name] / "adapter_model.safetensors" for name in ("whole", "broken"))
    assert one.read_bytes() == other.read_bytes()


def test_what_a_run_leaves(runs: dict[str, Path]) -> None:
    out = runs["whole"]
    samples = [json.loads(line) for line in (out / "samples.jsonl").read_text("utf-8").splitlines()]
    assert [sample["step"] for sample in samples] == [8, 16, 24]
    assert list(out.glob("runs/**/events.out.tfevents*"))
    checkpoints = sorted(path.name for path in out.glob("checkpoint-*"))
    assert checkpoints in (["checkpoint-16", "checkpoint-24"], ["checkpoint-24", "checkpoint-8"])
    assert (out / "tokenizer.json").exists()
    evaluations = [json.loads(line) for line in (out / "log.jsonl").read_text("utf-8").splitlines()]
    assert len([line for line in evaluations if "eval_loss" in line]) == 3


def test_a_finished_run_is_neither_lost_nor_repeated(
    tools: Any, small: Path, runs: dict[str, Path]
) -> None:
    command = [tools.script("2_train.py"), "--config", runs["config"], "--data", small]
    again = tools.run(*command, "--out", runs["whole"])
    assert again.returncode == 1
    assert f"[ERROR] {runs['whole']} holds a run. Go on with it: --resume" in again.stderr
    done = tools.must(*command, "--out", runs["whole"], "--resume")
    assert f"The run in {runs['whole']} is finished" in done


def test_the_merged_model_predicts_what_the_adapter_does(
    tools: Any, tiny: Path, runs: dict[str, Path]
) -> None:
    moved = float(tools.must(tools.python, PROBE, "logits", tiny, runs["whole"]).splitlines()[-1])
    assert moved > 0.01
    out = tools.folder / "merged"
    command = [tools.script("4_merge.py"), "--adapter", runs["whole"], "--out", out]
    tools.must(*command, "--dtype", "float32")
    note = json.loads((out / "merged_from.json").read_text("utf-8"))
    assert note["divergence"] < 1e-5
    assert note["equal_tokens"] == 1.0
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= {
        file.name for file in out.iterdir()
    }


def test_a_merge_with_another_base_is_refused(tools: Any, runs: dict[str, Path]) -> None:
    out = tools.folder / "wrong"
    done = tools.run(tools.script("4_merge.py"), "--adapter", runs["whole"], "--out", out,
                     "--base", "SmolLM2-135M-Instruct")  # fmt: skip
    assert done.returncode == 1
    assert "was not trained on SmolLM2-135M-Instruct" in done.stderr
    assert not out.exists()
