"""What computes the vectors: OpenVINO in bfloat16, ONNX Runtime in int8, or torch.

MiniLM on two cores of a Sapphire Rapids, chunks of 205 tokens: torch fp32 42/s, OpenVINO bf16 132/s
(mean cosine to fp32 0.99998), ONNX Runtime int8 100/s (0.992). A CPU without bfloat16 gets int8.
The export is made here once from the model's own weights and kept in the toolkit's cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..console import log_test, log_warn
from ..errors import ToolkitError
from ..paths import model_cache

if TYPE_CHECKING:
    import numpy as np

FORMAT = 1  # of the exported files
TORCH, OPENVINO, ONNX = "torch-fp32", "openvino-bf16", "onnx-int8"
BATCHES = {TORCH: 32, OPENVINO: 32, ONNX: 8}  # rows that ran fastest on the machine named above
ABANDONED = 3600  # seconds after which an unfinished export is nobody's
LEAST_COSINE = 0.99  # mean, to torch fp32: less, and an export is not used
_POOLING = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}
_SAMPLES = (
    "Elena repairs sounders.",
    "The war begins when the ford opens, and nobody on the far bank knows why it is dry.",
    "“You will not find it,” said Jonas; he had sold the only map of the harbour. " * 9,
)


@dataclass
class Backend:
    """`encode` takes token ids and the mask, int64 of shape (b, length), and gives (b, dimension).

    Vectors have unit length, float32.
    """

    name: str
    encode: Callable[[np.ndarray, np.ndarray], np.ndarray]


def preferred(flags: frozenset[str] | None = None) -> str:
    """The fastest backend that keeps quality on a CPU with these flags (None: this one)."""
    flags = _flags() if flags is None else flags
    if flags & {"amx_bf16", "avx512_bf16"}:
        return OPENVINO
    return ONNX if "avx2" in flags else TORCH


def load(folder: Path, name: str) -> Backend:
    """The backend of that name for a model's folder; torch, with a warning, where it fails."""
    if name != TORCH and pooling(folder) is not None:
        try:
            return _fast(folder, name)
        except Exception as error:  # noqa: BLE001 - whatever an exporter does, torch still works
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            log_warn(f"{name} cannot run this model ({reason[:160]}); torch does, more slowly.")
    return _torch(folder)


def pooling(folder: Path) -> str | None:
    """ "mean" or "cls" where a model is a transformer with that pooling and no more, else None."""
    try:
        modules = json.loads((folder / "modules.json").read_text("utf-8"))
        kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
        if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
            return None
        settings = json.loads((folder / modules[1]["path"] / "config.json").read_text("utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    modes = [key for key, on in settings.items() if key.startswith("pooling_mode_") and on is True]
    if isinstance(settings.get("pooling_mode"), str):  # as newer versions write it
        return settings["pooling_mode"] if settings["pooling_mode"] in _POOLING.values() else None
    return _POOLING.get(modes[0]) if len(modes) == 1 else None


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
        _export(folder, scratch / "model.onnx")
        (_to_int8 if name == ONNX else _to_openvino)(scratch)
        _check(folder, _open(scratch, name))
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


def _fast(folder: Path, name: str) -> Backend:
    return Backend(name, _open(exported(folder, name), name))


def _open(folder: Path, name: str) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return (_open_onnx if name == ONNX else _open_openvino)(folder)


def _open_openvino(folder: Path) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": "bf16", "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Core().compile_model(str(folder / "model.xml"), "CPU", hints)
    request, lock = model.create_infer_request(), threading.Lock()

    def encode(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with lock:  # a request serves one caller at a time and reuses its buffers
            vectors: np.ndarray = request.infer([ids, mask])[0].copy()
        return vectors

    return encode


def _open_onnx(folder: Path) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(folder / "model.int8.onnx"), options, providers=["CPUExecutionProvider"]
    )

    def encode(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        vectors: np.ndarray = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors

    return encode


def _torch(folder: Path) -> Backend:
    """sentence-transformers itself: it knows every kind of pooling and head."""
    _quiet()
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ToolkitError(
            f"{folder} is no embedding model: {reason}", "Name another one."
        ) from None

    def encode(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        features = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        with torch.inference_mode():
            vectors = model(features)["sentence_embedding"]
            unit: np.ndarray = torch.nn.functional.normalize(vectors, dim=-1).float().numpy()
        return unit

    return Backend(TORCH, encode)


def _export(folder: Path, file: Path) -> None:
    """Write the model with its pooling and normalisation as ONNX."""
    _quiet()
    import torch
    from transformers import AutoModel

    mode = pooling(folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").float().eval()

    class Pooled(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            more = {}
            if getattr(model.config, "type_vocab_size", 0):
                more["token_type_ids"] = torch.zeros_like(input_ids)
            hidden = self.model(
                input_ids=input_ids, attention_mask=attention_mask, **more
            ).last_hidden_state
            mask = attention_mask[:, :, None].to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1)
            return torch.nn.functional.normalize(mean if mode == "mean" else hidden[:, 0], dim=-1)

    axes = {0: "batch", 1: "length"}
    example = torch.ones(2, 8, dtype=torch.long)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer's remarks on shapes; `_check` judges them
        torch.onnx.export(
            Pooled(),
            (example, example),
            str(file),
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamic_axes={"input_ids": axes, "attention_mask": axes, "vectors": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )


def _to_openvino(folder: Path) -> None:
    import openvino

    model = openvino.Core().read_model(str(folder / "model.onnx"))
    openvino.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    del model
    (folder / "model.onnx").unlink()


def _to_int8(folder: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source = folder / "model.onnx"
    # Without VNNI, products of full 8-bit weights overflow 16 bits: those CPUs get 7 bits.
    narrow = not _flags() & {"avx512_vnni", "avx_vnni"}
    quantize_dynamic(
        source,
        folder / "model.int8.onnx",
        per_channel=True,
        reduce_range=narrow,
        weight_type=QuantType.QInt8,
    )
    source.unlink()


def _check(folder: Path, encode: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """Compare an export with torch fp32, padded and not; raises ValueError where they differ."""
    import numpy as np

    from .tokenizer import Tokens

    tokens = Tokens(folder, 128)
    exact = _torch(folder).encode
    batches: list[Sequence[str]] = [_SAMPLES, *([text] for text in _SAMPLES)]
    cosines = [(encode(*batch) * exact(*batch)).sum(1) for batch in map(tokens.batch, batches)]
    mean = float(np.concatenate(cosines).mean())
    if not mean >= LEAST_COSINE:
        raise ValueError(f"its vectors differ from torch's: mean cosine {mean:.3f}")


def _flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(found.partition(":")[2].split())


def _quiet() -> None:
    # Loading prints nothing that an author needs.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
