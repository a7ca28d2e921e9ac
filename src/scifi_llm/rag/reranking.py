"""Reranking by a cross-encoder, which reads question and passage together. Off by default.

It costs a pass of the model for each passage (hundreds of milliseconds on a CPU), so only the best
ones are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from .. import hub
from ..errors import ToolkitError
from . import ranking
from .passages import Passage, Rerank

DEPTH = 20  # passages that are read


@lru_cache(maxsize=2)
def load(name: str) -> Rerank:
    """The reranker of a model's folder or hub name; the network is asked only for a hub name.

    Raises ToolkitError where it cannot be had or is no cross-encoder.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        if not hub.cached(name):
            hub.download(name)
        folder = Path(hub.cached(name))
    from sentence_transformers import CrossEncoder

    try:
        model = CrossEncoder(str(folder), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ToolkitError(f"{name} is no cross-encoder: {reason}", "Name another one.") from None

    def rerank(query: str, passages: Sequence[Passage]) -> list[Passage]:
        best, rest = passages[:DEPTH], passages[DEPTH:]
        if not best:
            return []
        scores = model.predict([(query, passage.told) for passage in best], show_progress_bar=False)
        order = sorted(range(len(best)), key=lambda place: -float(scores[place]))
        found = []
        for place in order:
            routes = {**best[place].routes, "rerank": round(float(scores[place]), 4)}
            found.append(replace(best[place], routes=routes, why=ranking.reason(routes)))
        return [*found, *rest]

    return rerank
