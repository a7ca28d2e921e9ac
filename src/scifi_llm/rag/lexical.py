"""BM25 over chunks: words to terms, an index made by bm25s, scores as a share of what is possible.

A score is BM25 (Robertson and Zaragoza 2009, in Lucene's form) divided by the sum of the query
terms' weighted inverse document frequencies, which no document can reach: 0 matches nothing, near 1
matches everything asked for. So it can be added to a cosine, query by query, without knowing the
other documents (Bruch, Gai and Ingber 2023, "An Analysis of Fusion Functions": theoretical bounds).
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import shutil
import threading
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

K1, B = 0.9, 0.4  # Anserini's defaults, which suit passages
# The part of a pair beside its words (Metzler and Croft 2005, sequential dependence, give 0.15 to
# ordered and unordered pairs together).
PAIRED = 0.2
BUCKETS = 1 << 20  # pairs are counted by hash: a vocabulary of them would outgrow the text
FORMAT = 1
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# Letters that have no decomposition and that authors type without them: Þorvaldur, Sjælland.
_LETTERS = str.maketrans(
    {"þ": "th", "ð": "d", "æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l", "đ": "d", "’": "'"}
)


def fold(text: str) -> str:
    """Lower case without diacritics: "Þórunn" and "thorunn" are the same."""
    plain = text.casefold()
    if plain.isascii():
        return plain
    plain = unicodedata.normalize("NFKD", plain.translate(_LETTERS))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def words(text: str) -> list[str]:
    """The words of `text`, folded, without a possessive ending."""
    return [_bare(word) for word in _WORD.findall(fold(text))]


def _bare(word: str) -> str:
    return word[:-2] if word.endswith("'s") else word


def terms(text: str) -> list[str]:
    """The stems of the words of `text`, in order (Snowball, English)."""
    return [_stem(word) for word in words(text)]


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english", 0)


def pairs(text: str) -> list[str]:
    """The pairs of neighbouring stems of `text`: "dark tower" asks for both words together."""
    stems = terms(text)
    return [f"{a} {b}" for a, b in pairwise(stems)]


def _bucket(pair: str) -> int:
    return zlib.crc32(pair.encode("utf-8", "surrogatepass")) % BUCKETS


@dataclass(frozen=True)
class _Postings:
    """A CSC matrix of BM25 scores: `indptr` (columns + 1), `indices` (documents), `data`."""

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray
    documents: int

    @staticmethod
    def build(ids: list[list[int]], columns: int) -> _Postings:
        """bm25s computes the score of every (column, document) that occurs once and for all."""
        import bm25s
        import numpy as np

        if not any(ids):  # bm25s takes no empty vocabulary
            empty = np.zeros(0, np.int32), np.zeros(0, np.float32)
            return _Postings(np.zeros(columns + 1, np.int64), *empty, len(ids))
        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it reports every step otherwise
        engine = bm25s.BM25(method="lucene", k1=K1, b=B)
        used = sorted({id_ for row in ids for id_ in row})
        place = {id_: number for number, id_ in enumerate(used)}
        rows = [[place[id_] for id_ in row] for row in ids]
        vocabulary = {str(id_): number for number, id_ in enumerate(used)}
        engine.index((rows, vocabulary), show_progress=False, create_empty_token=False)
        counts = np.zeros(columns + 1, np.int64)
        counts[np.array(used) + 1] = np.diff(engine.scores["indptr"][: len(used) + 1])
        return _Postings(
            np.cumsum(counts),
            np.asarray(engine.scores["indices"], np.int32),
            np.asarray(engine.scores["data"], np.float32),
            len(ids),
        )

    def idf(self, column: int | None) -> float:
        """Inverse document frequency; a term that is nowhere has the highest."""
        n = 0 if column is None else int(self.indptr[column + 1] - self.indptr[column])
        return math.log1p((self.documents - n + 0.5) / (n + 0.5))

    def add(self, total: np.ndarray, column: int, weight: float) -> None:
        """Add a term's weighted scores to those of its documents."""
        part = slice(self.indptr[column], self.indptr[column + 1])
        # A document stands once in a term's postings, so that += on an index is safe.
        total[self.indices[part]] += self.data[part] * total.dtype.type(weight)


class Lexical:
    """A BM25 index of documents numbered from 0: words, and pairs of words in hashed buckets."""

    def __init__(self, vocabulary: dict[str, int], single: _Postings, paired: _Postings) -> None:
        self._vocabulary = vocabulary
        self._single, self._paired = single, paired
        self.documents = single.documents

    @staticmethod
    def build(texts: Iterable[str]) -> Lexical:
        """Index documents."""
        vocabulary: dict[str, int] = {}
        single: list[list[int]] = []
        paired: list[list[int]] = []
        for text in texts:
            stems = terms(text)
            single.append([vocabulary.setdefault(term, len(vocabulary)) for term in stems])
            both = pairwise(stems)
            paired.append([_bucket(f"{a} {b}") for a, b in both])
        return Lexical(
            vocabulary,
            _Postings.build(single, len(vocabulary)),
            _Postings.build(paired, BUCKETS),
        )

    def idf(self, term: str) -> float:
        """Inverse document frequency; a term that is nowhere has the highest."""
        return self._single.idf(self._vocabulary.get(term))

    def bound(self, weights: Mapping[str, float]) -> float:
        """More than any document can reach. Words that no document has say nothing and count 0."""
        known = (term for term in weights if term in self._vocabulary)
        return sum(weights[term] * self.idf(term) for term in known)

    def scores(
        self, weights: Mapping[str, float], phrases: Mapping[str, float] | None = None
    ) -> np.ndarray:
        """Array of shape (documents,), float32: the share of the query that matches, from 0.

        `weights` are the query's terms, as `terms` gives them, with a weight above 0 each;
        `phrases` its pairs, which add to what their words have, PAIRED as much each.
        """
        import numpy as np

        total = np.zeros(self.documents, np.float32)
        bound = self.bound(weights)
        if not bound:
            return total
        for term, weight in weights.items():
            column = self._vocabulary.get(term)
            if column is not None:
                self._single.add(total, column, weight / bound)
        for pair, weight in (phrases or {}).items():
            self._paired.add(total, _bucket(pair), PAIRED * weight / bound)
        return total

    def save(self, folder: Path) -> None:
        """Write the index as a folder that is there whole or not at all. May raise OSError."""
        import numpy as np

        scratch = folder.with_name(f".{folder.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            scratch.mkdir()
            names = json.dumps([FORMAT, list(self._vocabulary)], ensure_ascii=False)
            (scratch / "vocabulary.json").write_text(names, "utf-8", "surrogatepass")
            for name, postings in (("words", self._single), ("pairs", self._paired)):
                np.savez(
                    scratch / f"{name}.npz",
                    indptr=postings.indptr,
                    indices=postings.indices,
                    data=postings.data,
                    documents=np.array(postings.documents),
                )
            with contextlib.suppress(OSError):  # another reader was first
                scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    @staticmethod
    def load(folder: Path, documents: int) -> Lexical | None:
        """The index of `save`, or None where it is missing, damaged or of another collection."""
        import numpy as np

        parts = []
        try:
            text = (folder / "vocabulary.json").read_text("utf-8", "surrogatepass")
            version, names = json.loads(text)
            for name in ("words", "pairs"):
                with np.load(folder / f"{name}.npz") as file:
                    arrays = (file["indptr"], file["indices"], file["data"])
                    parts.append(_Postings(*arrays, int(file["documents"])))
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, EOFError):
            return None
        fits = version == FORMAT and all(part.documents == documents for part in parts)
        return Lexical({name: row for row, name in enumerate(names)}, *parts) if fits else None


def query_weights(
    texts: Iterable[tuple[str, float]], cut: Callable[[str], list[str]] = terms
) -> dict[str, float]:
    """Terms (or `pairs`) of several texts with the text's weight; one of two has the greater."""
    weights: dict[str, float] = {}
    for text, weight in texts:
        for term in cut(text):
            weights[term] = max(weights.get(term, 0.0), weight)
    return weights
