"""A model with its adapter on or off: losses of texts, losses of secrets, samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from ..errors import ToolkitError
from .bases import find_base
from .canaries import Canary, alternatives
from .encoding import encode
from .forms import Record
from .verdict import Loss

BATCH = 8


class Pair:
    """The base model and an adapter on it: `before` without it, `after` with it."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer

    def adapter(self, on: bool) -> AbstractContextManager[Any]:
        """The adapter on or off, for a block."""
        return nullcontext() if on else self.model.disable_adapter()

    def losses(self, record: Record, length: int) -> Loss:
        """Losses of the author's words of a record, which is cut at `length` tokens."""
        row = encode(record, self.tokenizer, "completion")
        ids, labels = row["input_ids"][:length], row["labels"][:length]
        counted = sum(label != -100 for label in labels[1:])
        before, after = (self._loss(ids, labels, on) for on in (False, True))
        return Loss(before, after, counted)

    def _loss(self, ids: list[int], labels: list[int], on: bool) -> float:
        import torch

        with torch.no_grad(), self.adapter(on):
            batch = torch.tensor([ids], device=self.model.device)
            logits = self.model(input_ids=batch).logits[0, :-1].float()
        wanted = torch.tensor(labels[1:], device=logits.device)
        return float(
            torch.nn.functional.cross_entropy(logits, wanted, ignore_index=-100, reduction="sum")
        )

    def secret_losses(self, canary: Canary, on: bool = True) -> tuple[float, list[float]]:
        """Loss of a canary's secret, and of each alternative to it, behind its prefix."""
        import torch

        first = encode({"text": canary.prefix}, self.tokenizer, "all")["input_ids"]
        tails = [
            self.tokenizer(secret, add_special_tokens=False)["input_ids"]
            for secret in (canary.secret, *alternatives(canary))
        ]
        rows, starts = [first + tail for tail in tails], len(first)
        width = max(map(len, rows))
        pad = self.tokenizer.eos_token_id
        ids = torch.tensor(
            [row + [pad] * (width - len(row)) for row in rows], device=self.model.device
        )
        with torch.no_grad(), self.adapter(on):
            logits = self.model(input_ids=ids).logits[:, starts - 1 : -1].float()
        each = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), ids[:, starts:], reduction="none"
        )
        found = [float(each[i, : len(tail)].mean()) for i, tail in enumerate(tails)]
        return found[0], found[1:]

    def write(
        self,
        prompts: Sequence[list[int]],
        tokens: int,
        on: bool,
        greedy: bool = False,
    ) -> Iterator[str]:
        """Continuations of prompts given as ids; the same seed before and after."""
        import torch

        pad = self.tokenizer.eos_token_id
        settings = (
            {"do_sample": False}
            if greedy
            else {"temperature": 0.8, "top_p": 0.95, "do_sample": True}
        )
        for at in range(0, len(prompts), BATCH):
            some = prompts[at : at + BATCH]
            width = max(map(len, some))
            ids = torch.tensor(
                [[pad] * (width - len(p)) + p for p in some], device=self.model.device
            )
            mask = torch.tensor(
                [[0] * (width - len(p)) + [1] * len(p) for p in some], device=self.model.device
            )
            torch.manual_seed(at)
            with torch.no_grad(), self.adapter(on):
                made = self.model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=tokens,
                    min_new_tokens=tokens,  # samples of one length, however it would end
                    pad_token_id=pad,
                    **settings,
                )
            yield from self.tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)


def load_pair(adapter: Path, base: str, dtype: str) -> Pair:
    """A base model in full precision with an adapter on it.

    Raises ToolkitError where the adapter does not fit the base.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = find_base(base)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype))
    if torch.cuda.is_available():
        model = model.to("cuda")
    try:
        with_adapter = PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, ValueError, KeyError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ToolkitError(
            f"The adapter in {adapter} does not fit {base}: {reason}.",
            "Name the model that it was trained on: --base MODEL",
        ) from None
    return Pair(with_adapter, AutoTokenizer.from_pretrained(folder))
