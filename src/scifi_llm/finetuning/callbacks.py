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
    """Ctrl+C inside `with`: the first asks for an end after this step, the second ends at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        """Take the signal over."""
        self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signal back."""
        signal.signal(signal.SIGINT, self._before)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        log_warn("Ending after this step; a checkpoint is written. Ctrl+C again ends at once.")


class Watch:
    """What a run tells and keeps: progress, log.jsonl, samples.jsonl.

    `callback_of` makes a callback of transformers' Trainer of it.
    """

    def __init__(self, config: Config, out: Path, tokenizer: Any, interrupt: Interrupt) -> None:
        self.config, self.out, self.tokenizer, self.interrupt = config, out, tokenizer, interrupt
        self.bar: Iterator[Any] = iter(())
        self.started = time.monotonic()

    def begin(self, state: Any) -> None:
        """Training begins, or goes on."""
        self.started = time.monotonic()
        if state.is_world_process_zero:
            left = state.max_steps - state.global_step
            self.bar = progress(repeat(None), left, "Training", "steps")
            next(self.bar, None)

    def step(self, control: Any) -> None:
        """A step is done."""
        next(self.bar, None)
        if self.interrupt.asked:
            control.should_save = control.should_training_stop = True

    def log(self, state: Any, logs: dict[str, Any] | None) -> None:
        """The trainer logs numbers."""
        if state.is_world_process_zero and logs:
            seconds = round(time.monotonic() - self.started, 3)
            append(self.out / "log.jsonl", {"step": state.global_step, "seconds": seconds, **logs})

    def evaluated(self, state: Any, metrics: dict[str, float], model: Any) -> None:
        """The validation loss is known."""
        if not state.is_world_process_zero:
            return
        loss = metrics.get("eval_loss", math.nan)
        perplexity = math.exp(min(loss, 50))
        log_ok(
            f"Step {state.global_step}: validation loss {loss:.4f} (perplexity {perplexity:.1f})"
        )
        if self.config.parallel.strategy != "none":
            return  # the model is not whole on this process
        for prompt in self.config.evaluate.prompts:
            text = sample(model, self.tokenizer, prompt, self.config.evaluate.sample_tokens)
            append(
                self.out / "samples.jsonl",
                {"step": state.global_step, "prompt": prompt, "text": text},
            )


def callback_of(watch: Watch) -> Any:
    """A callback of transformers' Trainer that tells `watch` what happens."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watch.begin(state)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            watch.step(control)

        def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            watch.log(state, more.get("logs"))

        def on_evaluate(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            watch.evaluated(state, more.get("metrics") or {}, more["model"])

    return Callback()


def make_callbacks(config: Config, out: Path, tokenizer: Any, interrupt: Interrupt) -> list[Any]:
    """The callbacks of a run."""
    from transformers import EarlyStoppingCallback

    made = [callback_of(Watch(config, out, tokenizer, interrupt))]
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
