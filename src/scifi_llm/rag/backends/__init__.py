"""What computes the vectors: OpenVINO in bfloat16, ONNX Runtime in int8, or torch.

MiniLM on two cores of a Sapphire Rapids, chunks of 100 tokens: torch fp32 99/s, OpenVINO bf16 350/s
(mean cosine to fp32 0.99998), ONNX Runtime int8 270/s (0.992). A CPU without bfloat16 gets int8.
The export is made here once from the model's own weights and kept in the toolkit's cache.
"""

from .choice import BATCHES, exported, load, preferred
from .convert import pooling
from .runtime import ONNX, OPENVINO, TORCH, Backend

__all__ = [
    "BATCHES",
    "ONNX",
    "OPENVINO",
    "TORCH",
    "Backend",
    "exported",
    "load",
    "pooling",
    "preferred",
]
