"""Which runtime computes the vectors; its export is made once and checked against torch."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from ...console import log_test, log_warn
from ...paths import model_cache
from .convert import pooling, to_int8, to_onnx, to_openvino
from .runtime import (
    ONNX,
    OPENVINO,
    TORCH,
    Backend,
    Encode,
    cpu_flags,
    open_onnx,
    open_openvino,
    open_torch,
)

FORMAT = 1  # of the exported files
BATCHES = {TORCH: 32, OPENVINO: 32, ONNX: 8}  # rows that ran fastest on the machine named above
ABANDONED = 3600  # seconds after which an unfinished export is nobody's
LEAST_COSINE = 0.99  # mean, to torch fp32: less, and an export is not used
_SAMPLES = (
    "Elena repairs sounders.",
    "The war begins when the ford opens, and nobody on the far bank knows why it is dry.",
    "“You will not find it,” said Jonas; he had sold the only map of the harbour. " * 9,
)


def preferred(flags: frozenset[str] | None = None) -> str:
    """The fastest backend that keeps quality on a CPU with these flags (None: this one)."""
    flags = cpu_flags() if flags is None else flags
    if flags & {"amx_bf16", "avx512_bf16"}:
        return OPENVINO
    return ONNX if "avx2" in flags else TORCH


def load(folder: Path, name: str, bulk: bool = False) -> Backend:
    """The backend of that name for a model's folder; torch, with a warning, where it fails.

    `bulk` is for many texts in little time, else one text is answered soonest.
    """
    if name != TORCH and pooling(folder) is not None:
        try:
            return Backend(name, *_open(exported(folder, name), name, bulk))
        except Exception as error:  # noqa: BLE001 - whatever an exporter does, torch still works
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            log_warn(f"{name} cannot run this model ({reason[:160]}); torch does, more slowly.")
    return open_torch(folder)


def exported(folder: Path, name: str) -> Path:
    """The folder with a model's export for a backend, made where it is missing.

    Whole or absent: it is made beside and renamed. The key holds the weights' size and time and the
    versions of what exports and runs them.
    """
    weights = sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in weights]
    packages = [version(p) for p in ("torch", "transformers", "onnx", "onnxruntime", "openvino")]
    key = hashlib.sha256(repr([FORMAT, stats, packages]).encode()).hexdigest()[:12]
    place = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    target = model_cache() / "embedding" / f"{name}-{place}-{key}"
    if (target / "done").exists():
        return target
    log_test(f"Preparing the embedding model for {name}; once, about 20 s")
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    try:
        to_onnx(folder, scratch / "model.onnx")
        (to_int8 if name == ONNX else to_openvino)(scratch)
        _check(folder, _open(scratch, name)[0])
        (scratch / "done").touch()
        if not target.exists():
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _tidy(target, f"{name}-{place}-*")
    return target


def _tidy(target: Path, same: str) -> None:
    """Remove this model's exports of earlier versions, and what killed runs have left."""
    for old in target.parent.glob(same):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    for part in target.parent.glob(".part-*"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > ABANDONED:
                shutil.rmtree(part, ignore_errors=True)


def _open(folder: Path, name: str, bulk: bool = False) -> tuple[Encode, int]:
    return (open_onnx(folder), 1) if name == ONNX else open_openvino(folder, bulk)


def _check(folder: Path, encode: Encode) -> None:
    """Compare an export with torch fp32, padded and not; raises ValueError where they differ."""
    import numpy as np

    from ..tokenizer import Tokens

    tokens = Tokens(folder, 128)
    exact = open_torch(folder).encode
    batches: list[Sequence[str]] = [_SAMPLES, *([text] for text in _SAMPLES)]
    cosines = [(encode(*batch) * exact(*batch)).sum(1) for batch in map(tokens.batch, batches)]
    mean = float(np.concatenate(cosines).mean())
    if not mean >= LEAST_COSINE:
        raise ValueError(f"its vectors differ from torch's: mean cosine {mean:.3f}")
