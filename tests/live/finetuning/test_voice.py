"""From a novel to a served voice: the bundled model, the real vLLM, the real proxy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

REPO = Path(__file__).resolve().parents[3]
MODEL = "SmolLM2-135M-Instruct"
CONFIG = """
model: SmolLM2-135M-Instruct
method: lora
dtype: float32
max_length: 128
lora: {rank: 16, alpha: 32}
train: {batch: 1, accumulate: 1, learning_rate: 1e-3, optimizer: adamw_torch,
        gradient_checkpointing: false, max_steps: 60}
evaluate: {every: 0, patience: 0}
"""
NOTE = "# Maud Okonkwo\n\nMaud keeps bees on the night side of Venus."
QUESTION = "What does Maud keep?"


@pytest.fixture(scope="module")
def voice(tools: Any, novel: Path) -> Path:
    """An adapter trained on 7,700 tokens of one novel."""
    config = tools.folder / "voice.yaml"
    config.write_text(CONFIG, "utf-8")
    out = tools.folder / "voice"
    tools.must(tools.script("2_train.py"), "--config", config, "--data", novel, "--out", out)
    return out


@pytest.fixture(scope="module")
def report(tools: Any, voice: Path, another_author: Path) -> dict[str, Any]:
    command = [tools.script("3_evaluate.py"), "--adapter", voice, "--other", another_author]
    tools.must(*command, "--tokens", 2200, "--words", 150, "--sample-tokens", 50, "--openings", 2)
    made: dict[str, Any] = json.loads((voice / "evaluation" / "report.json").read_text("utf-8"))
    return made


def test_held_out_perplexity_falls_more_than_another_authors(report: dict[str, Any]) -> None:
    author, other = report["perplexity"]["author"], report["perplexity"]["other"]
    assert author["value"] < -0.1  # measured: -31 %, another author -12 %
    assert author["high"] < 0
    assert author["value"] < other["value"]
    assert report["perplexity"]["author_beyond_other"][1] < 0
    assert report["verdict"].startswith("It learned this author: held-out perplexity")


def test_planted_secrets_are_found_and_others_are_not(report: dict[str, Any]) -> None:
    secrets = report["memorisation"]["canaries"]
    assert [entry["repeats"] > 0 for entry in secrets] == [True] * 2 + [False] * 2
    assert [entry["found"] for entry in secrets] == [True] * 2 + [False] * 2
    assert "2 secrets found of 2 planted" in report["verdict"]


def test_the_report_says_where_it_is_unsure(voice: Path, report: dict[str, Any]) -> None:
    assert not report["delta"]["reliable"]
    assert "too few words to rely on" in report["verdict"]
    page = (voice / "evaluation" / "report.html").read_text("utf-8")
    assert report["verdict"].split(":")[0] in page
    assert page.count("Which is which?") == len(report["samples"])


def test_nf4_trains_the_same_model(tools: Any, novel: Path) -> None:
    config, out = tools.folder / "nf4.yaml", tools.folder / "nf4"
    config.write_text(CONFIG.replace("method: lora", "method: qlora"), "utf-8")
    tools.must(tools.script("2_train.py"), "--config", config, "--data", novel, "--out", out,
               "--max-steps", "16")  # fmt: skip
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text("utf-8").splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert len(losses) == 16
    assert sum(losses[-8:]) < sum(losses[:8])


@pytest.fixture(scope="module")
def served(tools: Any, new_port: Callable[[], int]) -> Iterator[Any]:
    """`served(SCRIPT, …)` starts vLLM and the proxy over one note; a client of the proxy."""
    vllm, rag = new_port(), new_port()
    home = tools.folder / "home"
    (home / "data" / "characters").mkdir(parents=True)
    (home / "data" / "characters" / "maud.md").write_text(NOTE, "utf-8")
    own = replace(
        tools,
        extra={
            "RAG_HOME": str(home),
            "RUN_DIR": str(tools.folder / "run"),
            "HF_HUB_OFFLINE": "1",
            "VLLM_PORT": str(vllm),
            "RAG_PORT": str(rag),
        },
    )
    own.must("RAG/1_ingest.py")
    own.must("RAG/2_embed_and_store.py", "--model", "fast", "--collection", "book")
    upstream = f"http://127.0.0.1:{vllm}/v1"
    own.must("./serve_rag_proxy.sh", "book", "--upstream", upstream, "--detach")

    def start(*words: object) -> openai.OpenAI:
        own.run("./stop_vllm.sh", str(vllm))
        own.must(*words, vllm, 2, 1024, "--detach")
        return openai.OpenAI(base_url=f"http://127.0.0.1:{rag}/v1", api_key="EMPTY", max_retries=0)

    try:
        yield start
    finally:
        own.run("./serve_rag_proxy.sh", "--stop")
        own.run("./stop_vllm.sh", str(vllm))


def ask(client: openai.OpenAI, model: str) -> tuple[str, str]:
    """(x-rag-status, answer)."""
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], max_tokens=30, temperature=0
    )
    return raw.headers["x-rag-status"], raw.parse().choices[0].message.content or ""


def test_adapter_and_base_answer_with_the_canon(tools: Any, voice: Path, served: Any) -> None:
    client = served(tools.script("5_serve_adapter.sh"), voice, "voice")
    assert {model.id for model in client.models.list().data} == {MODEL, "voice"}
    answers = {name: ask(client, name) for name in (MODEL, "voice")}
    assert {status for status, _ in answers.values()} == {"ok"}
    assert all(text for _, text in answers.values())
    assert answers["voice"] != answers[MODEL]


def test_the_merged_model_answers_with_the_canon(tools: Any, voice: Path, served: Any) -> None:
    merged = tools.folder / "voice_merged"
    tools.must(tools.script("4_merge.py"), "--adapter", voice, "--out", merged)
    client = served(REPO / "serve_vllm.sh", merged)
    status, text = ask(client, "voice_merged")
    assert status == "ok"
    assert text
