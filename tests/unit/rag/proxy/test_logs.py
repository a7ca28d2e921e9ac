"""The log's two formats, and that nothing a client sends looks like a line of ours."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.rag.proxy.logs import REQUEST_ID, JsonFormat, TextFormat, set_up


def record(message: str, level: int = logging.WARNING, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("scifi_llm.proxy", level, "f", 1, message, (), None)
    made.created = 0.0
    for key, value in extra.items():
        setattr(made, key, value)
    return made


@pytest.fixture
def quiet() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("scifi_llm")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level = before[0], before[1]
    ours.setLevel(before[2])


def test_text() -> None:
    line = TextFormat().format(record("canon is gone", request_id="a-1", fields={"ms": 2.5}))
    assert line.startswith("[WARN] 19")
    assert line.endswith(" [a-1] canon is gone ms=2.5")
    assert TextFormat().format(record("x", logging.INFO)).startswith("[INFO] ")


def test_one_record_is_one_line() -> None:
    forged = record("path /v1\n[ERROR] all is lost\x1b[31m", request_id="")
    assert "\n" not in TextFormat().format(forged)
    assert "\x1b" not in TextFormat().format(forged)
    assert len(JsonFormat().format(forged).splitlines()) == 1


def test_json() -> None:
    entry = json.loads(JsonFormat().format(record("gone", request_id="a", fields={"ms": 2.5})))
    assert entry == {
        "time": 0.0,
        "level": "warning",
        "logger": "scifi_llm.proxy",
        "message": "gone",
        "request_id": "a",
        "ms": 2.5,
    }


def test_a_bug_leaves_its_traceback() -> None:
    try:
        raise ValueError("here")
    except ValueError:
        made = logging.LogRecord("x", logging.ERROR, "f", 1, "bug", (), sys.exc_info())
    assert "ValueError: here" in TextFormat().format(made)
    assert "ValueError: here" in json.loads(JsonFormat().format(made))["traceback"]


def test_levels_and_ids(quiet: None, capsys: pytest.CaptureFixture[str]) -> None:
    set_up("info", "json")
    token = REQUEST_ID.set("r-7")
    logging.getLogger("scifi_llm.proxy").info("seen")
    logging.getLogger("scifi_llm.proxy").debug("not seen")
    logging.getLogger("httpx").info("not seen: it would hold a query string")
    REQUEST_ID.reset(token)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["request_id"] == "r-7"
    for level, form in (("loud", "text"), ("info", "xml")):
        with pytest.raises(ToolkitError, match="is none"):
            set_up(level, form)
