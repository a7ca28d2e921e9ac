"""What the proxy is started with, and what a request may ask of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...errors import ToolkitError
from ...settings import number

LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class ProxySettings:
    """Settings of one proxy process. `api_key` is ours and is never sent on."""

    collection: str
    upstream_url: str
    upstream_key: str = ""
    api_key: str = ""
    host: str = "127.0.0.1"
    port: int = 8001
    budget_tokens: int = field(default_factory=lambda: int(number("BUDGET_TOKENS", 0, 1_000_000)))
    retrieval_seconds: float = 2.0

    def check(self) -> None:
        """Raise ToolkitError where the settings would open the canon to a network."""
        if self.host not in LOOPBACK and not self.api_key:
            raise ToolkitError(
                f"RAG_HOST={self.host} would let others on the network read your notes.",
                "Set RAG_API_KEY=SECRET beside it, or leave RAG_HOST at 127.0.0.1.",
            )


@dataclass(frozen=True)
class RagOptions:
    """The request field `rag`."""

    enabled: bool = True
    collection: str | None = None
    as_of: int | None = None
    pov: str | None = None
    top_k: int | None = None
    budget_tokens: int | None = None
    sources: str = "field"


_KINDS: dict[str, tuple[type, str]] = {
    "enabled": (bool, "true or false"),
    "collection": (str, "a name"),
    "as_of": (int, "a chapter number"),
    "pov": (str, "a name"),
    "top_k": (int, "a whole number above 0"),
    "budget_tokens": (int, "a whole number"),
    "sources": (str, '"field", "footer" or "none"'),
}


def rag_options(value: Any) -> RagOptions:
    """Check the request field `rag`; None gives the defaults.

    Raises ToolkitError that names the key and what it should be.
    """
    if value is None:
        return RagOptions()
    if not isinstance(value, dict):
        raise ToolkitError("The field 'rag' must be an object.")
    for key, given in value.items():
        if key not in _KINDS:
            raise ToolkitError(f"The field 'rag' has no key {key!r}; it has: {', '.join(_KINDS)}.")
        kind, wanted = _KINDS[key]
        wrong_bool = kind is int and isinstance(given, bool)
        if given is not None and (not isinstance(given, kind) or wrong_bool):
            raise ToolkitError(f"rag.{key} is {given!r}; it must be {wanted}.")
    options = RagOptions(**{key: given for key, given in value.items() if given is not None})
    for name, low in (("as_of", 0), ("top_k", 1), ("budget_tokens", 0)):
        given = getattr(options, name)
        if given is not None and not low <= given <= 1_000_000:
            raise ToolkitError(f"rag.{name} is {given}; it must be from {low} to 1000000.")
    if options.sources not in ("field", "footer", "none"):
        raise ToolkitError(
            f"rag.sources is {options.sources!r}; it must be {_KINDS['sources'][1]}."
        )
    return options
