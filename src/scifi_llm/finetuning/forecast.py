"""Memory, steps and hours of a run before anything is loaded. Pure arithmetic; no torch.

Memory is the sum of what torch will have allocated at its peak, in GiB. Checked against a published
run: QLoRA of Llama-3.1-8B, batch 2 x 2048, 7.4 GiB and 2,413 tokens/s on an RTX 4090 (torchtune).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .bases import Shape
from .config import Config

GIB = 2**30
# NF4: 4 bits a weight, an 8-bit scale for 64 weights, a 32-bit scale for 256 of those scales.
NF4_BYTES = (4 + 8 / 64 + 32 / (64 * 256)) / 8
BYTES = {"bfloat16": 2, "float16": 2, "float32": 4}
OPTIMIZER_BYTES = {
    "adamw_torch": 8,
    "adamw_torch_fused": 8,
    "adamw_8bit": 2,
    "paged_adamw_8bit": 2,
    "paged_adamw_32bit": 8,
}
# Of the loss: TRL takes the head's product in chunks of so many tokens, so that the logits of the
# whole batch are never there at once.
HEAD_CHUNK = 256


@dataclass(frozen=True)
class Card:
    """A GPU: dense 16-bit TFLOP/s of its matrix units with 32-bit sums, and memory."""

    tflops: float
    gib: float


CARDS = {
    "RTX 5090": Card(209.5, 32),
    "RTX 4090": Card(165.2, 24),
    "RTX 3090": Card(71.0, 24),
    "H100": Card(989.0, 80),
    "H200": Card(989.0, 141),
    "A100": Card(312.0, 80),
    "L4": Card(121.0, 24),
}
# Share of that which a run reaches: 2,413 tokens/s above are 65 % of a 4090 with compiled kernels;
# ours are not compiled.
UTILIZATION = 0.45
CPU_GFLOPS_A_CORE = 45.0  # AVX2 in float32, measured with the bundled model


@dataclass(frozen=True)
class Memory:
    """Parts of the peak, in GiB."""

    weights: float
    adapter: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.adapter + self.optimizer + self.activations


def adapter_parameters(shape: Shape, config: Config) -> int:
    """Trained weights: A is inputs x rank, B rank x outputs, for each adapted linear layer."""
    wanted = {name.strip() for name in config.lora.targets.split(",")}
    linears = [
        size for name, size in shape.linears.items() if wanted == {"all-linear"} or name in wanted
    ]
    per_block = sum(config.lora.rank * (inputs + outputs) for inputs, outputs in linears)
    if config.lora.dora:
        per_block += sum(outputs for _, outputs in linears)
    return shape.num_hidden_layers * per_block


def memory(shape: Shape, config: Config) -> Memory:
    """The peak of one GPU's allocations."""
    dtype = BYTES[config.dtype]
    split = config.parallel.gpus if config.parallel.strategy == "fsdp" else 1
    linear = shape.linear_parameters * (NF4_BYTES if config.method == "qlora" else dtype)
    weights = linear + shape.embedding_parameters * dtype
    trained = adapter_parameters(shape, config)
    states = trained * OPTIMIZER_BYTES[config.train.optimizer]
    return Memory(
        weights / split / GIB,
        trained * 8 / split / GIB,  # the weights and their gradients, both in float32
        states / split / GIB,
        _activations(shape, config) / GIB,
    )


def _activations(shape: Shape, config: Config) -> float:
    """Bytes kept for the backward pass at its peak.

    With checkpointing: each block's input, and everything inside one block. Without: everything
    inside all blocks. Inside: about 10 rows as wide as the model (norms, queries, attention and its
    gradients), 6 as wide as the MLP, and the products of the adapters.
    """
    tokens = config.train.batch * config.max_length
    dtype = BYTES[config.dtype]
    inside = tokens * dtype * (10 * shape.hidden_size + 6 * shape.intermediate_size)
    layers = shape.num_hidden_layers
    kept = (
        layers * tokens * shape.hidden_size * dtype + inside
        if config.train.gradient_checkpointing
        else layers * inside
    )
    unpacked = 0.0
    if config.method == "qlora":  # the largest linear layer is unpacked while it is used
        unpacked = max(inputs * outputs for inputs, outputs in shape.linears.values()) * dtype
    head = HEAD_CHUNK * shape.vocab_size * 4 * 3
    return kept + unpacked + head


def flops_a_token(shape: Shape, config: Config) -> float:
    """Floating point operations for one trained token.

    2 a weight forward, 2 backward (frozen weights have no gradient), 2 to compute the block again
    with checkpointing; attention by the mean length of what a token sees.
    """
    passes = 6 if config.train.gradient_checkpointing else 4
    weights = shape.linear_parameters + shape.vocab_size * shape.hidden_size
    width = shape.num_attention_heads * shape.head_size
    attention = shape.num_hidden_layers * config.max_length * width  # 2 products, half is masked
    return passes * (weights + attention)


def tokens_a_second(shape: Shape, config: Config, card: str, cores: int) -> float:
    """An estimate of speed on a card by its name, or on so many CPU cores where `card` is "".

    0 where the card is not known.
    """
    if not card:
        return cores * CPU_GFLOPS_A_CORE * 1e9 / flops_a_token(shape, config)
    peak = next((known.tflops for name, known in CARDS.items() if name in card), 0.0)
    return config.parallel.gpus * peak * 1e12 * UTILIZATION / flops_a_token(shape, config)


def steps(config: Config, tokens: int) -> int:
    """Optimizer steps for so many training tokens; packed rows are full but for the last."""
    if config.train.max_steps:
        return config.train.max_steps
    rows = max(1, math.ceil(tokens / config.max_length))
    batches = math.ceil(rows / (config.train.batch * config.parallel.gpus))
    return math.ceil(math.ceil(batches / config.train.accumulate) * config.train.epochs)
