"""Vectors of an interrupted run: all that were written whole come back, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scifi_llm.rag.pending import Pending

TEXTS = [f"text {number}" for number in range(40)]
VECTORS = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)


def record(folder: Path, numbers: range) -> None:
    with Pending(folder, "model", 5) as pending:
        for number in numbers:
            pending.add(TEXTS[number], VECTORS[number])


def test_what_was_recorded_comes_back_and_can_be_continued(tmp_path: Path) -> None:
    record(tmp_path, range(10))
    record(tmp_path, range(10, 15))
    found = Pending(tmp_path, "model", 5).load(TEXTS)
    assert sorted(found) == sorted(TEXTS[:15])
    assert all(np.array_equal(found[TEXTS[i]], VECTORS[i]) for i in range(15))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 600), flip=st.none() | st.integers(0, 599))
def test_a_cut_or_damaged_file_gives_whole_vectors_only(
    tmp_path: Path, cut: int, flip: int | None
) -> None:
    Pending(tmp_path, "model", 5).remove()
    record(tmp_path, range(15))
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    assert len(data) == 600
    if flip is not None:
        data[flip] ^= 1
    file.write_bytes(data[:cut])
    found = Pending(tmp_path, "model", 5).load(TEXTS)
    whole = min(cut // 40, 15 if flip is None else flip // 40)
    assert sorted(found) == sorted(TEXTS[:whole])
    record(tmp_path, range(whole, 20))
    again = Pending(tmp_path, "model", 5).load(TEXTS)
    assert sorted(again) == sorted(TEXTS[:20])
    assert all(np.array_equal(again[TEXTS[i]], VECTORS[i]) for i in range(20))


def test_what_nobody_wants_is_dropped(tmp_path: Path) -> None:
    record(tmp_path, range(20))
    assert list(Pending(tmp_path, "model", 5).load(TEXTS[5:7])) == TEXTS[5:7]
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size == 80


def test_models_do_not_mix_and_all_are_removed(tmp_path: Path) -> None:
    record(tmp_path, range(3))
    assert Pending(tmp_path, "other", 5).load(TEXTS) == {}
    assert Pending(tmp_path, "model", 6).load(TEXTS) == {}
    Pending(tmp_path, "other", 5).remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_only_ends_the_recording(tmp_path: Path) -> None:
    record(tmp_path / "missing", range(3))
    assert Pending(tmp_path / "missing", "model", 5).load(TEXTS) == {}
