"""Prefixed lines, exit statuses and progress."""

from __future__ import annotations

import errno

import pytest

from scifi_llm import console
from scifi_llm.errors import ToolkitError


def test_prefixes_and_streams(capsys: pytest.CaptureFixture[str]) -> None:
    console.log_test("trying")
    console.log_ok("done")
    console.log_warn("slow")
    console.log_error("Broken.", "Mend it.")
    out, err = capsys.readouterr()
    assert out == "[TEST] trying\n[OK] done\n"
    assert err == "[WARN] slow\n[ERROR] Broken. Mend it.\n"


def test_stdout_can_be_kept_for_data(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_data_on_stdout", False)
    console.keep_stdout_for_data()
    console.log_ok("done")
    assert capsys.readouterr() == ("", "[OK] done\n")


def test_next_step_is_not_named_inside_quickstart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IN_QUICKSTART", "yes")
    console.log_next("a")
    monkeypatch.setenv("IN_QUICKSTART", "")
    console.log_next("b")
    assert capsys.readouterr().out == "[OK] Next: b\n"


def test_a_users_mistake_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise ToolkitError("No notes.", "Write some.", status=3)

    assert console.run_main(main) == 3
    assert capsys.readouterr().err == "[ERROR] No notes. Write some.\n"


def test_interruption_is_130(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise KeyboardInterrupt

    assert console.run_main(main) == 130
    assert "[WARN] Interrupted" in capsys.readouterr().err


def test_a_full_disk_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/data/x")

    assert console.run_main(main) == 1
    assert capsys.readouterr().err == (
        "[ERROR] No space left on device: /data/x. "
        "Free some disk space (see: df -h) and run the same command again.\n"
    )


def test_a_bug_crashes_loudly() -> None:
    def main() -> int:
        raise OSError(errno.EBADF, "Bad file descriptor")

    with pytest.raises(OSError, match="Bad file descriptor"):
        console.run_main(main)


def test_progress_yields_everything_and_stays_silent_when_fast(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(console.progress(range(5), 5, "Embedding")) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""


def test_wrong_arguments_are_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    parser = console.Parser(prog="4_query.py")
    parser.add_argument("question", metavar="QUESTION")
    with pytest.raises(SystemExit) as caught:
        parser.parse_args([])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "[ERROR] The following arguments are required: QUESTION. See: 4_query.py --help\n"
    )
