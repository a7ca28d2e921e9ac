"""An embedding model's own tokenizer, without the model."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ToolkitError

if TYPE_CHECKING:
    import numpy as np


SLAB = 1000  # texts that are tokenized at once


class Tokens:
    """The tokenizer of a model's folder; `limit` is the most tokens that the model reads."""

    def __init__(self, folder: Path, limit: int) -> None:
        """Raises ToolkitError where the folder holds no tokenizer."""
        from tokenizers import Tokenizer

        # Threads of its own help with long lists; it is not forked afterwards.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        file = folder / "tokenizer.json"
        if not file.exists():
            raise ToolkitError(
                f"{folder} is no embedding model: it has no tokenizer.json.", "Name another one."
            )
        self.limit = limit
        self._whole: Any = Tokenizer.from_file(str(file))
        self._whole.no_truncation()
        self._whole.no_padding()
        self._cut: Any = Tokenizer.from_file(str(file))
        self._cut.no_padding()
        self._cut.enable_truncation(limit)
        self.special = len(self._whole.encode("").ids)
        # Some models number positions by which tokens are padding: it must be their own.
        pad = _settings(folder / "tokenizer_config.json").get("pad_token")
        pad = pad.get("content") if isinstance(pad, dict) else pad
        self._pad: int = self._whole.token_to_id(pad) or 0 if isinstance(pad, str) else 0

    def count(self, text: str) -> int:
        """Tokens of `text`, the special ones included."""
        return len(self._whole.encode(text).ids)

    def starts(self, texts: Sequence[str]) -> list[list[int]]:
        """For each text, where each of its tokens starts, in characters; no special tokens."""
        found: list[list[int]] = []
        for first in range(0, len(texts), SLAB):
            slab = list(texts[first : first + SLAB])
            for one in self._whole.encode_batch(slab, add_special_tokens=False):
                found.append([start for start, _ in one.offsets])
        return found

    def ids(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The token ids of each text as the model reads it, int64, at most `limit`."""
        import numpy as np

        found: list[np.ndarray] = []
        for first in range(0, len(texts), SLAB):  # the tokenizer's own objects are large
            slab = self._cut.encode_batch(list(texts[first : first + SLAB]))
            found += [np.array(one.ids, dtype=np.int64) for one in slab]
        return found

    def pad(self, ids: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """(ids, mask), int64, of shape (len(ids), longest)."""
        import numpy as np

        rows = np.full((len(ids), max(map(len, ids))), self._pad, dtype=np.int64)
        mask = np.zeros_like(rows)
        for row, one in enumerate(ids):
            rows[row, : len(one)] = one
            mask[row, : len(one)] = 1
        return rows, mask

    def batch(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """`pad` of `ids`."""
        return self.pad(self.ids(texts))


def limit(folder: Path, most: int) -> int:
    """The most tokens that the model in a folder reads, at most `most`."""
    asked = _settings(folder / "sentence_bert_config.json").get("max_seq_length")
    asked = asked or _settings(folder / "config.json").get("max_position_embeddings")
    return min(int(asked), most) if isinstance(asked, int) and asked > 0 else most


def _settings(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
