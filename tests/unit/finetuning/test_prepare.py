"""1_prepare_data.py from files to JSONL: whole outputs, counted again by other means."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scifi_llm.console import run_main
from scifi_llm.errors import ToolkitError
from scifi_llm.finetuning import prepare
from scifi_llm.finetuning.ledger import check_folder

SPLITS = ("train", "validation", "test")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    def call(*words: object) -> int:
        given = ["--model", "words", "--out", str(tmp_path / "out"), *map(str, words)]
        monkeypatch.setattr("sys.argv", ["1_prepare_data.py", *given])
        return run_main(prepare.main)

    return call


def lines(folder: Path, split: str) -> list[dict[str, Any]]:
    text = (folder / f"{split}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def ledger(folder: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((folder / "ledger.json").read_text("utf-8"))
    return made


@pytest.mark.parametrize("form", ["raw", "instruction", "chat"])
def test_the_ledger_balances_against_a_recount(
    form: str, novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path
) -> None:
    folder = novel()
    assert run("--input", folder, "--format", form, "--max-tokens", "120") == 0
    out = tmp_path / "out"
    counts = ledger(out)
    words_and_marks = re.compile(r"\w+|[^\w\s]")
    recount = {
        split: sum(len(words_and_marks.findall(line["text"])) for line in lines(out, split))
        for split in SPLITS
    }
    assert {split: counts[split] for split in SPLITS} == recount
    # What came in, counted from the file itself: all but the marks of headings.
    source = re.sub(r"^#+ ", "", (folder / "novel.md").read_text("utf-8"), flags=re.M)
    assert counts["tokens_in"] == len(words_and_marks.findall(source))
    assert counts["tokens_in"] == sum(recount.values()) + counts["dropped"]
    letters = counts["characters_without_blanks"]
    assert letters["in"] == sum(map(len, source.split()))
    assert letters["in"] == sum(letters[key] for key in (*SPLITS, "dropped"))
    assert min(recount.values()) > 0


def test_the_splits_share_no_chapter_and_keep_the_texts_order(
    novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path
) -> None:
    source = novel()
    run("--input", source, "--max-tokens", "120")
    chapters = {s: {line["chapter"] for line in lines(tmp_path / "out", s)} for s in SPLITS}
    assert not chapters["train"] & (chapters["validation"] | chapters["test"])
    assert not chapters["validation"] & chapters["test"]
    text = (source / "novel.md").read_text("utf-8")
    for split in SPLITS:
        for line in lines(tmp_path / "out", split):
            assert text[line["start"] : line["end"]].startswith(line["text"][:40])
            assert text[: line["start"]].endswith("\n\n")
            assert text[line["end"] :].startswith("\n")


def test_raw_ends_only_where_a_chapter_ends(
    novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path
) -> None:
    run("--input", novel(), "--max-tokens", "80")
    for split in SPLITS:
        for line in lines(tmp_path / "out", split):
            number, count = line["part"].split("/")
            assert line["eos"] == (number == count)


def test_chat_ends_where_a_scene_ends(
    novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path
) -> None:
    run("--input", novel(), "--format", "chat", "--max-tokens", "5000")
    made = lines(tmp_path / "out", "train")
    assert all(line["eos"] for line in made)  # each is one scene
    assert {line["part"] for line in made} == {"1/2", "2/2"}
    for line in made:
        user, assistant = line["messages"]
        assert (user["role"], user["content"]) == ("user", line["prompt"])
        assert (assistant["role"], assistant["content"]) == ("assistant", line["text"])
        assert 'the chapter "Chapter' in line["prompt"]
        assert "***" not in line["text"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_chapters(
    novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path
) -> None:
    folder = novel(20)

    def files(seed: int) -> list[bytes]:
        run("--input", folder, "--seed", seed, "--format", "instruction")
        return [(tmp_path / "out" / f"{split}.jsonl").read_bytes() for split in SPLITS]

    first = files(1)
    assert files(1) == first
    assert files(2) != first


def test_title_page_rights_and_licence_are_dropped(
    run: Callable[..., int], novel: Callable[..., Path], tmp_path: Path
) -> None:
    folder = novel()
    plain = (folder / "novel.md").read_text("utf-8")
    licence = "*** START OF THE PROJECT GUTENBERG EBOOK THE LAMP KEEPER ***\n\n"
    end = "\n\nTHE END\n\n*** END OF THE PROJECT GUTENBERG EBOOK THE LAMP KEEPER ***\n\nMore terms."
    (folder / "novel.md").write_text(f"This eBook is for anyone.\n\n{licence}{plain}{end}", "utf-8")
    assert run("--input", folder) == 0
    kept = " ".join(line["text"] for s in SPLITS for line in lines(tmp_path / "out", s))
    for gone in ("eBook", "GUTENBERG", "THE END", "terms", "Copyright", "Author", "Chapter"):
        assert gone not in kept
    reasons = ledger(tmp_path / "out")["dropped_because"]
    assert set(reasons) >= {"heading", "rights and licence", "end mark", "title page"}


def test_a_chapter_for_each_file(
    run: Callable[..., int], novel: Callable[..., Path], tmp_path: Path
) -> None:
    folder = novel(8)
    parts = re.split(r"(?m)^## ", (folder / "novel.md").read_text("utf-8"))[1:]
    (folder / "novel.md").unlink()
    for number, part in enumerate(parts, start=1):
        (folder / f"chapter-{number:02}.md").write_text(f"# {part}", "utf-8")
    assert run("--input", folder) == 0
    sources = {s: {line["source"] for line in lines(tmp_path / "out", s)} for s in SPLITS}
    assert sum(map(len, sources.values())) == 8
    assert not sources["train"] & sources["test"]


def test_plain_text_with_chapter_lines(
    run: Callable[..., int], novel: Callable[..., Path], tmp_path: Path
) -> None:
    folder = novel(7)
    text = (folder / "novel.md").read_text("utf-8")
    (folder / "novel.md").unlink()
    for number, roman in enumerate(["I", "II", "III", "IV", "V", "VI", "VII"], start=1):
        text = text.replace(f"## Chapter {number}. The Door", f"CHAPTER {roman}")
    (folder / "novel.txt").write_text(text.replace("# The", "The"), "utf-8")
    assert run("--input", folder) == 0
    chapters = [line["chapter"] for s in SPLITS for line in lines(tmp_path / "out", s)]
    assert sorted(set(chapters)) == [
        f"CHAPTER {r}" for r in ["I", "II", "III", "IV", "V", "VI", "VII"]
    ]


def test_a_repeated_chapter_fails_the_run_and_writes_nothing(
    novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = novel(9)
    second = (folder / "novel.md").read_text("utf-8")
    (folder / "old_draft.md").write_text(second, "utf-8")
    assert run("--input", folder) == 1
    error = capsys.readouterr().err
    assert re.search(
        r"\[ERROR\] Leakage: \d+% of the held-out .* stands also in .*--together", error
    )
    assert not (tmp_path / "out").exists()
    assert run("--input", folder, "--together") == 0
    check_folder(tmp_path / "out")


def test_a_quotation_is_left_out_of_the_held_out_text(
    novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = novel(12)
    quoted = "We came to the ford at dusk and counted twelve lamps, and the thirteenth counted us."
    file = folder / "novel.md"
    file.write_text(
        re.sub(r"(?m)(^## .*\n\n)", rf"\1> {quoted}\n\n", file.read_text("utf-8")), "utf-8"
    )
    assert run("--input", folder) == 0
    counts = ledger(tmp_path / "out")
    held_out = [line["text"] for s in ("validation", "test") for line in lines(tmp_path / "out", s)]
    assert not [text for text in held_out if quoted in text]
    assert [line for line in lines(tmp_path / "out", "train") if quoted in line["text"]]
    assert counts["dropped_because"]["repeats another split"] > 15
    assert "repeat other chapters and were left out" in capsys.readouterr().err


def test_a_leak_planted_into_the_files_is_caught(
    novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run("--input", novel())
    check_folder(out)
    train, test = lines(out, "train"), lines(out, "test")
    test[0]["text"] += "\n\n" + " ".join(train[-1]["text"].split()[:30])
    counts = ledger(out)
    test[0]["tokens"] += 40
    counts["test"] += 40
    counts["tokens_in"] += 40
    counts["characters_without_blanks"]["test"] = sum(
        len("".join(line["text"].split())) for line in test
    )
    (out / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in test), "utf-8")
    (out / "ledger.json").write_text(json.dumps(counts), "utf-8")
    with pytest.raises(ToolkitError, match="Leakage: test repeats 18 runs of 13 words of train"):
        check_folder(out)
    assert run("--check") == 1


def test_a_changed_file_no_longer_balances(
    novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path
) -> None:
    run("--input", novel())
    file = tmp_path / "out" / "train.jsonl"
    file.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[1:]), "utf-8")
    with pytest.raises(ToolkitError, match="the ledger says"):
        check_folder(tmp_path / "out")


def test_bad_files_are_left_out_with_status_2(
    novel: Callable[..., Path], run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = novel()
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    assert run("--input", folder) == 2
    assert "[WARN] Left out latin.txt: it is not UTF-8 text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ({}, (), "holds no prose"),
        ({"a.md": "# One\n\nShort."}, (), "Only 1 of the three parts needed were found"),
        ({"bad.txt": b"\xff\xff\x00"}, (), "No file in .* could be read"),
    ],
)
def test_what_cannot_be_prepared_is_one_error(
    files: dict[str, Any], words: tuple[str, ...], message: str, tmp_path: Path,
    run: Callable[..., int], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = tmp_path / "some"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert run("--input", folder, *words) == 1
    assert re.search(rf"\[ERROR\] .*{message}", capsys.readouterr().err)


def test_a_text_without_chapters_is_split_in_blocks(
    run: Callable[..., int], novel: Callable[..., Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = novel(40)
    text = (folder / "novel.md").read_text("utf-8")
    (folder / "novel.md").unlink()
    (folder / "novel.txt").write_text(re.sub(r"(?m)^#.*\n", "", text), "utf-8")
    assert run("--input", folder) == 0
    assert "novel.txt has no chapter headings; taking" in capsys.readouterr().err
    made = ledger(tmp_path / "out")
    assert min(made[split] for split in SPLITS) > 0


def test_canaries_stand_beside_the_ledger(
    novel: Callable[..., Path], run: Callable[..., int], tmp_path: Path
) -> None:
    folder = novel()
    run("--input", folder, "--canaries", "2")
    made = [
        json.loads(line) for line in (tmp_path / "out" / "canaries.jsonl").read_text().splitlines()
    ]
    assert [entry["repeats"] > 0 for entry in made] == [True, True, False, False]
    before = ledger(tmp_path / "out")
    run("--input", folder)
    assert not (tmp_path / "out" / "canaries.jsonl").exists()
    assert ledger(tmp_path / "out") == before
