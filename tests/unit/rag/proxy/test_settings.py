"""Settings of the environment; what would open the canon to a network is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from scifi_llm.errors import ToolkitError
from scifi_llm.rag.proxy.settings import ProxySettings


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_listening_elsewhere_needs_a_key(host: str) -> None:
    with pytest.raises(ToolkitError, match="would let others on the network read your notes"):
        ProxySettings("novel", "http://x/v1", host=host).check()
    ProxySettings("novel", "http://x/v1", host=host, api_key="k").check()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_needs_none(host: str) -> None:
    ProxySettings("novel", "http://x/v1", host=host).check()


def test_defaults_and_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = ProxySettings("novel", "http://x/v1")
    assert (found.placement, found.sources) == ("stable", "field")
    assert (found.budget_tokens, found.always_tokens, found.retrieval_seconds) == (2000, 1000, 2)
    assert found.state == tmp_path / "rag_home" / "state" / "turns.sqlite3"
    monkeypatch.setenv("RAG_PLACEMENT", " System ")
    monkeypatch.setenv("RAG_SOURCES", "footer")
    monkeypatch.setenv("ALWAYS_BUDGET_TOKENS", "70")
    monkeypatch.setenv("RETRIEVAL_SECONDS", "0.5")
    found = ProxySettings("novel", "http://x/v1")
    assert (found.placement, found.sources) == ("system", "footer")
    assert (found.always_tokens, found.retrieval_seconds) == (70, 0.5)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("RAG_PLACEMENT", "middle", "RAG_PLACEMENT=middle is none of stable, tail, system."),
        ("RAG_SOURCES", "all", "RAG_SOURCES=all is none of field, footer, none."),
        ("ALWAYS_BUDGET_TOKENS", "many", "is not a number"),
    ],
)
def test_wrong_values_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ToolkitError, match=message):
        ProxySettings("novel", "http://x/v1")
