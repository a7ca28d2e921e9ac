"""Watching the notes: one build a burst, nothing lost, a running search that sees the change."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.errors import ToolkitError
from scifi_llm.paths import chroma_dir, chunks_dir, data_dir
from scifi_llm.rag import watch
from scifi_llm.rag.ingest import sections_file
from scifi_llm.rag.passages import SearchRequest
from scifi_llm.rag.retrieval import Retriever

Build = Callable[..., bool]
Ingest = Callable[[dict[str, str]], None]


def at(version: int) -> watch.Snapshot:
    return {"note.md": (("note.md", version, 1, 1),)} if version else {}


@given(st.lists(st.integers(0, 3), max_size=80))
def test_a_build_follows_every_change_and_nothing_else(looks: list[int]) -> None:
    debounce = watch.Debounce(at(0))
    built = 0
    for version in [*looks, *[looks[-1] if looks else 0] * watch.QUIET_LOOKS]:
        if debounce.due(at(version)):
            assert version != built, "built twice from the same notes"
            debounce.built(at(version))
            built = version
    assert built == (looks[-1] if looks else 0), "the last change was never built"


def test_a_burst_of_saves_gives_one_build_after_its_end() -> None:
    debounce = watch.Debounce(at(0))
    due = [debounce.due(at(version)) for version in [1, 2, 3, 4, 4]]
    assert due == [False, False, False, False, True]


def test_an_editor_that_saves_without_pause_is_not_waited_for_for_ever() -> None:
    debounce = watch.Debounce(at(0))
    due = [debounce.due(at(version)) for version in range(1, watch.PATIENCE_LOOKS + 1)]
    assert due.index(True) == watch.PATIENCE_LOOKS - 1


def test_a_change_taken_back_is_no_change() -> None:
    debounce = watch.Debounce(at(1))
    assert [debounce.due(at(version)) for version in [2, 1, 1, 1]] == [False] * 4


@pytest.fixture
def notes_folder(tmp_path: Path, collection: Path) -> Path:
    """The notes that `novel` was made from."""
    return tmp_path / "notes"


def refresh(folder: Path) -> bool:
    return watch.refresh(folder, chunks_dir(), chroma_dir(), "novel")


def paths(query: str) -> list[str]:
    found = Retriever(chroma_dir(), "novel").search(SearchRequest(query, top_k=20))
    return [passage.chunk.note.path for passage in found.passages]


def test_an_unchanged_folder_builds_nothing(notes_folder: Path) -> None:
    assert refresh(notes_folder) is False


def test_a_new_note_comes_and_a_deleted_one_goes(notes_folder: Path) -> None:
    (notes_folder / "characters" / "maud.md").write_text("# Maud\n\nMaud keeps bees.", "utf-8")
    (notes_folder / "characters" / "jonas.md").unlink()
    assert refresh(notes_folder) is True
    found = paths("Who keeps bees?")
    assert found[0] == "characters/maud.md"
    assert "characters/jonas.md" not in found


def test_a_half_typed_front_matter_keeps_the_note_as_it_was(
    notes_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = notes_folder / "characters" / "elena.md"
    good = note.read_text("utf-8")
    note.write_text("---\naliases: [Lena\n---\n" + good, "utf-8")
    refresh(notes_folder)
    assert paths("Who repairs sounders?")[0] == "characters/elena.md"
    assert "[WARN] Left out characters/elena.md: " in capsys.readouterr().err
    # And again: what was carried over once is carried over until the file is mended.
    (notes_folder / "characters" / "maud.md").write_text("# Maud\n\nMaud keeps bees.", "utf-8")
    refresh(notes_folder)
    assert paths("Who repairs sounders?")[0] == "characters/elena.md"
    note.write_text("---\naliases: [Lena]\n---\n" + good.replace("sounders", "organs"), "utf-8")
    refresh(notes_folder)
    assert paths("Who repairs organs?").count("characters/elena.md") == 1


def test_only_what_changed_is_read_and_the_sections_are_those_of_a_full_reading(
    notes_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = watch.snapshot(notes_folder)
    bad = notes_folder / "plots" / "bad.md"
    bad.write_text("---\n[\n---\n", "utf-8")
    (notes_folder / "characters" / "jonas.md").write_text("# Jonas\n\nJonas sails.", "utf-8")
    (notes_folder / "plots" / "war.md").unlink()
    now = watch.snapshot(notes_folder)
    same = watch.unchanged(before, now)
    assert same == set(now) - {"plots/bad.md", "characters/jonas.md"}
    watch.refresh(notes_folder, chunks_dir(), chroma_dir(), "novel", same)
    warned = capsys.readouterr().err
    assert "Left out plots/bad.md" in warned
    told = sections_file(chunks_dir()).read_bytes()
    watch.refresh(notes_folder, chunks_dir(), chroma_dir(), "novel")
    assert sections_file(chunks_dir()).read_bytes() == told
    # What is called unchanged is not looked into.
    assert "Left out" in capsys.readouterr().err
    watch.refresh(notes_folder, chunks_dir(), chroma_dir(), "novel", {"plots/bad.md"})
    assert "Left out" not in capsys.readouterr().err


def test_a_text_inside_a_scrivener_project_changes_the_state_of_the_project(
    tmp_path: Path,
) -> None:
    text = tmp_path / "Book.scriv" / "Files" / "Data" / "1" / "content.rtf"
    text.parent.mkdir(parents=True)
    text.write_text("one", "utf-8")
    before = watch.snapshot(tmp_path)
    assert list(before) == ["Book.scriv"]
    text.write_text("one and two", "utf-8")
    assert watch.unchanged(before, watch.snapshot(tmp_path)) == set()


def test_a_folder_that_is_gone_empties_no_canon(notes_folder: Path, tmp_path: Path) -> None:
    notes_folder.rename(tmp_path / "unmounted")
    with pytest.raises(ToolkitError, match="holds no notes now; the collection stays as it is"):
        refresh(notes_folder)
    assert paths("Who repairs sounders?")[0] == "characters/elena.md"


def test_another_books_folder_is_refused(notes_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.md").write_text("# X", "utf-8")
    with pytest.raises(ToolkitError, match=r"holds none of the notes .* --watch DIR"):
        watch.check(other, chunks_dir())
    with pytest.raises(ToolkitError, match="is not a folder"):
        watch.check(tmp_path / "missing", chunks_dir())
    watch.check(notes_folder, chunks_dir())
    assert watch.notes_folder(str(notes_folder)) == notes_folder
    watch.check(other, tmp_path / "no_sections_yet")


def test_a_first_note_may_come_later() -> None:
    folder = watch.notes_folder("")
    assert folder == data_dir()
    assert watch.snapshot(folder) == {}


def eventually(true: Callable[[], bool]) -> bool:
    for _ in range(300):
        if true():
            return True
        time.sleep(0.1)
    return False


def test_a_note_edited_under_a_running_search_is_found_without_a_restart(
    notes_folder: Path,
) -> None:
    retriever = Retriever(chroma_dir(), "novel")
    request = SearchRequest("Who keeps bees on Venus?", top_k=1)
    assert "bees" not in retriever.search(request).passages[0].text
    watcher = watch.start(notes_folder, chunks_dir(), chroma_dir(), "novel")
    try:
        (notes_folder / "characters" / "jonas.md").write_text(
            "# Jonas\n\nJonas keeps bees on Venus.", "utf-8"
        )
        assert eventually(lambda: "bees" in retriever.search(request).passages[0].text)
    finally:
        watcher.stop()


def test_a_failed_build_is_due_again_after_a_wait_or_a_change() -> None:
    debounce = watch.Debounce(at(0))
    assert [debounce.due(at(1)) for _ in range(2)] == [False, True]
    debounce.failed(at(1))
    due = [debounce.due(at(1)) for _ in range(watch.PATIENCE_LOOKS + watch.QUIET_LOOKS)]
    assert due.index(True) == len(due) - 1
    debounce.failed(at(1))
    assert [debounce.due(at(2)) for _ in range(2)] == [False, True]


def test_a_failed_build_is_a_warning_and_the_next_change_is_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failures: list[Exception] = [
        ToolkitError("Another process is embedding.", "Wait for it."),
        RuntimeError("disk on fire"),
    ]
    calls: list[str] = []

    def build(_: object) -> None:
        calls.append(note.read_text("utf-8"))
        if failures:
            raise failures.pop(0)

    note = tmp_path / "a.md"
    note.write_text("a", "utf-8")
    watcher = watch.Watcher(tmp_path, build, look=0.1)
    watcher.start()
    try:
        for count, text in enumerate(["ab", "abc"], start=1):
            assert eventually(lambda count=count: len(calls) == count)
            note.write_text(text, "utf-8")
        assert eventually(lambda: len(calls) == 3)
    finally:
        watcher.stop()
    assert calls == ["a", "ab", "abc"]
    assert capsys.readouterr().err.splitlines() == [
        "[WARN] The notes are not indexed: Another process is embedding. Wait for it.",
        "[WARN] The notes are not indexed: RuntimeError: disk on fire",
    ]
