"""The three runtimes, each opened on a folder, and what the CPU offers them."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ToolkitError

if TYPE_CHECKING:
    import numpy as np

TORCH, OPENVINO, ONNX = "torch-fp32", "openvino-bf16", "onnx-int8"
Encode = Callable[["np.ndarray", "np.ndarray"], "np.ndarray"]


@dataclass
class Backend:
    """`encode` takes token ids and the mask, int64 of shape (b, length), and gives (b, dimension).

    Vectors have unit length, float32. `workers` is how many threads should call it at once for the
    most vectors a second.
    """

    name: str
    encode: Encode
    workers: int = 1


def open_openvino(folder: Path, bulk: bool) -> tuple[Encode, int]:
    """A folder with model.xml, and how many may call it at once."""
    import openvino

    hint = "THROUGHPUT" if bulk else "LATENCY"
    hints = {"INFERENCE_PRECISION_HINT": "bf16", "PERFORMANCE_HINT": hint}
    model = openvino.Core().compile_model(str(folder / "model.xml"), "CPU", hints)
    # A request serves one caller at a time and reuses its buffers. Twice as many as run at once
    # keep the cores busy while Python does something else.
    workers = 2 * model.get_property("NUM_STREAMS") if bulk else 1
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for _ in range(workers):
        requests.put(model.create_infer_request())

    def encode(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        request = requests.get()
        try:
            vectors: np.ndarray = request.infer([ids, mask])[0].copy()
        finally:
            requests.put(request)
        return vectors

    return encode, workers


def open_onnx(folder: Path) -> Encode:
    """A folder with model.int8.onnx."""
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


def open_torch(folder: Path) -> Backend:
    """sentence-transformers itself: it knows every kind of pooling and head."""
    quiet()
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


def quiet() -> None:
    """Have loading print nothing: an author needs none of it."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


def cpu_flags() -> frozenset[str]:
    """What this CPU says it can do; empty where it is not Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return frozenset()
    found = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(found.partition(":")[2].split())
