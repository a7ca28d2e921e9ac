"""Records as token ids and labels: what the model reads, and on what of it the loss is taken.

The author's text is tokenized alone and put behind its prompt, so that the boundary is the one that
the model meets when it writes, and so that the count is the ledger's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import ToolkitError
from .forms import Record

IGNORED = -100  # labels of tokens that teach nothing
PROMPT_END = "\n\n"  # between a plain prompt and the text


def form_of(record: Record) -> str:
    """raw, instruction or chat."""
    if "messages" in record:
        return "chat"
    return "instruction" if "prompt" in record else "raw"


def encode(record: Record, tokenizer: Any, loss: str) -> dict[str, list[int]]:
    """`input_ids` and `labels` of a record; labels are the ids, or IGNORED.

    `loss` "completion": the prompt teaches nothing. A text that does not really end (eos: false) is
    given no end token.
    """
    before, after = _frame(record, tokenizer)
    text = tokenizer(record["text"], add_special_tokens=False)["input_ids"]
    end = after if record.get("eos") else []
    ids = [*before, *text, *end]
    labels = ids if loss == "all" else [IGNORED] * len(before) + text + end
    return {"input_ids": ids, "labels": list(labels)}


def encode_all(records: Iterable[Record], tokenizer: Any, loss: str) -> dict[str, list[list[int]]]:
    """Columns of all records, in order."""
    rows = [encode(record, tokenizer, loss) for record in records]
    return {key: [row[key] for row in rows] for key in ("input_ids", "labels")}


def prompt_ids(record: Record, tokenizer: Any) -> list[int]:
    """What stands before the author's text."""
    return _frame(record, tokenizer)[0]


def _frame(record: Record, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids before and behind the text."""
    form = form_of(record)
    if form == "chat":
        return _chat_frame(record["messages"][:-1], tokenizer)
    first = [tokenizer.bos_token_id] if _begins_with_bos(tokenizer) else []
    end = [tokenizer.eos_token_id]
    if form == "raw":
        return first, end
    prompt = tokenizer(record["prompt"] + PROMPT_END, add_special_tokens=False)["input_ids"]
    return [*first, *prompt], end


def _begins_with_bos(tokenizer: Any) -> bool:
    ids = tokenizer("a")["input_ids"]
    return bool(ids) and tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id


def _chat_frame(messages: list[dict[str, str]], tokenizer: Any) -> tuple[list[int], list[int]]:
    if not tokenizer.chat_template:
        raise ToolkitError(
            "The base model has no chat template, so it cannot be trained on the form chat.",
            "Prepare the data with --format raw or instruction, or take an Instruct model.",
        )
    before = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    answer = [*messages, {"role": "assistant", "content": "\ue000"}]
    whole = tokenizer.apply_chat_template(answer, tokenize=False)
    after = whole.rpartition("\ue000")[2]
    return (
        tokenizer(before, add_special_tokens=False)["input_ids"],
        tokenizer(after, add_special_tokens=False)["input_ids"],
    )
