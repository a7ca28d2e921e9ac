"""What the proxy is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ...errors import ToolkitError
from ...paths import rag_home
from ...settings import number, setting

LOOPBACK = ("127.0.0.1", "::1", "localhost")
PLACEMENTS = ("stable", "tail", "system")
SOURCES = ("field", "footer", "none")


def state_file() -> Path:
    """Where it is kept what turns were given."""
    return rag_home() / "state" / "turns.sqlite3"


def _tokens(name: str) -> int:
    return int(number(name, 0, 1_000_000))


def _choice(name: str, choices: tuple[str, ...]) -> str:
    value = setting(name).lower() or choices[0]
    if value not in choices:
        raise ToolkitError(f"{name}={value} is none of {', '.join(choices)}.", f"Unset {name}.")
    return value


@dataclass(frozen=True)
class ProxySettings:
    """Settings of one proxy process. `api_key` is ours and is never sent on.

    `placement` is where canon stands: `stable` keeps every earlier turn as it was sent, `tail` puts
    everything before the newest message alone, `system` into the system message. `state` is the
    file that remembers what turns were given; None keeps it in the process.
    """

    collection: str
    upstream_url: str
    upstream_key: str = ""
    api_key: str = ""
    host: str = "127.0.0.1"
    port: int = 8001
    budget_tokens: int = field(default_factory=lambda: _tokens("BUDGET_TOKENS"))
    always_tokens: int = field(default_factory=lambda: _tokens("ALWAYS_BUDGET_TOKENS"))
    retrieval_seconds: float = field(default_factory=lambda: number("RETRIEVAL_SECONDS", 0.01, 600))
    placement: str = field(default_factory=lambda: _choice("RAG_PLACEMENT", PLACEMENTS))
    sources: str = field(default_factory=lambda: _choice("RAG_SOURCES", SOURCES))
    state: Path | None = field(default_factory=state_file)

    def check(self) -> None:
        """Raise ToolkitError where the settings would open the canon to a network."""
        if self.host not in LOOPBACK and not self.api_key:
            raise ToolkitError(
                f"RAG_HOST={self.host} would let others on the network read your notes.",
                "Set RAG_API_KEY=SECRET beside it, or leave RAG_HOST at 127.0.0.1.",
            )
