"""What a run does beside training: progress, a JSON log, samples, and an orderly end on Ctrl+C."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from types import FrameType
from typing import Any

from ..console import log_ok, log_warn, progress
from .config import Config


def append(file: Path, record: dict[str, Any]) -> None:
    """Add a line of JSON."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record, ensure_ascii=False) + "\n")


def keep_until(file: Path, step: int) -> None:
    """Drop the lines of later steps: a resumed run writes them again."""
    if file.is_file():
        lines = [line for line in file.read_text("utf-8").splitlines() if line.strip()]
        kept = [line for line in lines if json.loads(line).get("step", 0) <= step]
        file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


class Interrupt:
    """Ctrl+C: the first asks for an end after this step, the second ends at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        log_warn("Ending after this step; a checkpoint is written. Ctrl+C again ends at once.")


def make_callbacks(config: Config, out: Path, tokenizer: Any, interrupt: Interrupt) -> list[Any]:
    """The callbacks of a run, for transformers' Trainer."""
    from transformers import EarlyStoppingCallback, TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        """Progress on the terminal, log.jsonl, samples.jsonl."""

        def __init__(self) -> None:
            self.bar: Iterator[Any] = iter(())
            self.started = 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                left = state.max_steps - state.global_step
                self.bar = progress(repeat(None), left, "Training", "steps")
                next(self.bar, None)
            self.started = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            next(self.bar, None)
            if interrupt.asked:
                control.should_save = control.should_training_stop = True

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if state.is_world_process_zero and logs:
                seconds = round(time.monotonic() - self.started, 3)
                append(out / "log.jsonl", {"step": state.global_step, "seconds": seconds, **logs})

        def on_evaluate(
            self,
            args: Any,
            state: Any,
            control: Any,
            metrics: Any = None,
            model: Any = None,
            **_: Any,
        ) -> None:
            if not state.is_world_process_zero:
                return
            loss = (metrics or {}).get("eval_loss", math.nan)
            log_ok(f"Step {state.global_step}: validation loss {loss:.4f} "
                   f"(perplexity {math.exp(min(loss, 50)):.1f})")  # fmt: skip
            if config.parallel.strategy == "none":
                for prompt in config.evaluate.prompts:
                    text = sample(model, tokenizer, prompt, config.evaluate.sample_tokens)
                    append(out / "samples.jsonl",
                           {"step": state.global_step, "prompt": prompt, "text": text})  # fmt: skip

    made: list[Any] = [Watch()]
    if config.evaluate.every and config.evaluate.patience:
        made.append(EarlyStoppingCallback(config.evaluate.patience))
    return made


def sample(model: Any, tokenizer: Any, prompt: str, tokens: int) -> str:
    """A continuation. The run's own random numbers stay as they were: a resumed run must repeat."""
    import torch

    training = model.training
    model.eval()
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"].to(model.device)
        made = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            do_sample=True,
            temperature=0.8,
            top_p=0.95,
            pad_token_id=tokenizer.eos_token_id,
        )
    model.train(training)
    return str(tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True))
