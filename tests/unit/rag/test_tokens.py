"""Counting tokens: each text once."""

from __future__ import annotations

import pytest

from scifi_llm.rag import tokens


def test_a_text_is_counted_once_while_it_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_KNOWN", 2)
    asked: list[str] = []

    def count(text: str) -> int:
        asked.append(text)
        return len(text)

    counted = tokens.remembered(count)
    assert [counted(text) for text in ("a", "bb", "a", "bb", "\ud800")] == [1, 2, 1, 2, 1]
    assert asked == ["a", "bb", "\ud800"]
    assert [counted(text) for text in ("a", "\ud800")] == [1, 1]
    assert asked == ["a", "bb", "\ud800", "a"]
