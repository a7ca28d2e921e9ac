"""A model's own files, and its weights exported for the fast runtimes."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from .runtime import cpu_flags, quiet

_POOLING = {"pooling_mode_cls_token": "cls", "pooling_mode_mean_tokens": "mean"}


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


def to_onnx(folder: Path, file: Path) -> None:
    """Write the model with its pooling and normalisation as ONNX."""
    quiet()
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


def to_openvino(folder: Path) -> None:
    """Turn model.onnx of a folder into model.xml and model.bin."""
    import openvino

    model = openvino.Core().read_model(str(folder / "model.onnx"))
    openvino.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    del model
    (folder / "model.onnx").unlink()


def to_int8(folder: Path) -> None:
    """Turn model.onnx of a folder into model.int8.onnx."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source = folder / "model.onnx"
    # Without VNNI, products of full 8-bit weights overflow 16 bits: those CPUs get 7 bits.
    narrow = not cpu_flags() & {"avx512_vnni", "avx_vnni"}
    quantize_dynamic(
        source,
        folder / "model.int8.onnx",
        per_channel=True,
        reduce_range=narrow,
        weight_type=QuantType.QInt8,
    )
    source.unlink()
