"""The ledger of a real text against a recount with the model's own tokenizer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from scifi_llm.paths import model_cache

REPO = Path(__file__).resolve().parents[3]
SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize("form", ["raw", "instruction", "chat"])
def test_the_ledger_balances(tools: Any, form: str) -> None:
    out = tools.folder / f"ledger_{form}"
    chapters = REPO / "examples" / "scifi_world" / "chapters"
    tools.must(tools.script("1_prepare_data.py"), "--input", chapters, "--out", out,
               "--format", form, "--max-tokens", 200)  # fmt: skip
    tokenizer = Tokenizer.from_file(str(model_cache() / "SmolLM2-135M-Instruct" / "tokenizer.json"))

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    ledger = json.loads((out / "ledger.json").read_text("utf-8"))
    assert ledger["tokenizer"] == "SmolLM2-135M-Instruct (tokenizer.json)"
    lines = {
        split: [json.loads(line) for line in (out / f"{split}.jsonl").read_text().splitlines()]
        for split in SPLITS
    }
    recount = {split: sum(count(line["text"]) for line in lines[split]) for split in SPLITS}
    assert {split: ledger[split] for split in SPLITS} == recount
    assert ledger["tokens_in"] == sum(recount.values()) + ledger["dropped"]
    # Nothing of the files is missing: every letter of them, but for YAML and the marks of headings.
    bodies = [file.read_text("utf-8").split("---\n", 2)[2] for file in chapters.glob("*.md")]
    plain = [re.sub(r"(?m)^#+ ", "", body) for body in bodies]
    letters = sum(len("".join(text.split())) for text in plain)
    assert ledger["characters_without_blanks"]["in"] == letters
    if form != "raw":
        assert all(count(line["prompt"]) == line["prompt_tokens"] for line in lines["train"])
