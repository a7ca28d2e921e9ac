"""The entries that an author's editor gets, made from what the proxy serves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Entry = dict[str, Any]
MAX_SWITCHES = 5  # more entries make a menu that nobody reads
TEMPERATURE = 0.85
MAX_TOKENS = 2000
AUTOCOMPLETE_TOKENS = 48  # a line or two of prose
WITHOUT = ("apply", "summarize")  # what Continue does beside chats and edits
ROOM = 1000  # tokens that an answer must leave for the question; Continue warns below it


@dataclass(frozen=True)
class Served:
    """What the proxy at `url` (ends with /v1) answers with; `length` is the model's, in tokens."""

    url: str
    models: tuple[str, ...]
    length: int | None
    tools: bool = False
    embedding_model: str | None = None
    chapters: tuple[int, ...] = ()
    api_key: str = "EMPTY"

    @property
    def max_tokens(self) -> int:
        """Tokens of an answer, in any case short enough for the model."""
        if self.length is None:
            return MAX_TOKENS
        return max(1, min(MAX_TOKENS, self.length - ROOM, self.length // 2))


def switches(chapters: Iterable[int], most: int = MAX_SWITCHES) -> tuple[int, ...]:
    """At most `most` of the chapters, evenly spread, with the first and the last."""
    known = sorted({chapter for chapter in chapters if chapter > 0})
    if len(known) <= most:
        return tuple(known)
    steps = (round(i * (len(known) - 1) / (most - 1)) for i in range(most))
    return tuple(known[i] for i in steps)


def models(served: Served, as_of: Sequence[int]) -> list[Entry]:
    """Entries of config.yaml's `models`, the one to use first.

    Each with canon comes twice: an edit (Ctrl+I) is written into the manuscript, where the sources
    that end a chat's answer have no place.
    """
    first, *others = served.models
    with_canon: list[tuple[str, str, Entry]] = [
        ("", first, {}),
        *((f" up to chapter {n}", first, {"as_of": n}) for n in as_of),
        *((f" with {name}", name, {}) for name in others),
    ]
    return [
        *(
            _chat(f"Canon{what}", served, model, {"sources": "footer", **rag}, ("chat",))
            for what, model, rag in with_canon
        ),
        *(
            _chat(f"Canon edit{what}", served, model, {"sources": "none", **rag}, ("edit",))
            for what, model, rag in with_canon
        ),
        _chat("No canon", served, first, {"enabled": False}, ("chat", "edit", *WITHOUT)),
        _autocomplete(served, first),
        *_embeddings(served),
    ]


def _base(name: str, served: Served, model: str, roles: Sequence[str]) -> Entry:
    return {
        "name": name,
        "provider": "openai",
        "model": model,
        "apiBase": served.url,
        "apiKey": served.api_key,
        "roles": list(roles),
    }


def _length(served: Served) -> Entry:
    return {} if served.length is None else {"contextLength": served.length}


def _chat(name: str, served: Served, model: str, rag: Entry, roles: Sequence[str]) -> Entry:
    options = {"maxTokens": served.max_tokens, "temperature": TEMPERATURE}
    return {
        **_base(name, served, model, roles),
        **({"capabilities": ["tool_use"]} if served.tools else {}),
        "defaultCompletionOptions": {**_length(served), **options},
        "requestOptions": {"extraBodyProperties": {"rag": rag}},
    }


def _autocomplete(served: Served, model: str) -> Entry:
    """The next words of the text itself: no chat template, no markers of code models."""
    options = {"maxTokens": AUTOCOMPLETE_TOKENS, "temperature": 0.7, "stop": ["\n\n"]}
    return {
        **_base("Canon autocomplete", served, model, ("autocomplete",)),
        "useLegacyCompletionsEndpoint": True,
        "defaultCompletionOptions": {**_length(served), **options},
        "autocompleteOptions": {
            "template": "{{{prefix}}}",
            "maxPromptTokens": 1024,
            "debounceDelay": 600,
            "modelTimeout": 20000,
            "onlyMyCode": False,
            "useImports": False,
            "useRecentlyEdited": False,
            "useRecentlyOpened": False,
            "experimental_includeClipboard": False,
            "experimental_includeDiff": False,
            "experimental_enableStaticContextualization": False,
        },
    }


def _embeddings(served: Served) -> list[Entry]:
    if not served.embedding_model:
        return []
    base = _base("Canon embeddings", served, served.embedding_model, ("embed",))
    return [{**base, "embedOptions": {"maxChunkSize": 256, "maxBatchSize": 32}}]


def as_json_models(entries: Sequence[Entry]) -> list[Entry]:
    """The entries for chats, and the one for edits, as the legacy config.json names them."""
    edit = as_json_roles(entries)["inlineEdit"]
    return [
        {
            "title": entry["name"],
            **{key: entry[key] for key in ("provider", "model", "apiBase", "apiKey")},
            **_legacy_options(entry),
            "requestOptions": entry["requestOptions"],
        }
        for entry in entries
        if "chat" in entry["roles"] or entry["name"] == edit
    ]


def as_json_roles(entries: Sequence[Entry]) -> dict[str, str]:
    """Titles of the models for edits and for applying them, as `experimental.modelRoles`."""
    first: dict[str, str] = {}
    for entry in entries:
        for role in entry["roles"]:
            first.setdefault(role, entry["name"])
    return {"inlineEdit": first["edit"], "applyCodeBlock": first["apply"]}


def as_json_autocomplete(entries: Sequence[Entry]) -> Entry:
    """The autocomplete entry as `tabAutocompleteModel`."""
    (entry,) = (entry for entry in entries if "autocomplete" in entry["roles"])
    keys = ("provider", "model", "apiBase", "apiKey", "useLegacyCompletionsEndpoint")
    return {
        "title": entry["name"],
        **{key: entry[key] for key in keys},
        **_legacy_options(entry),
    }


def as_json_embeddings(entries: Sequence[Entry]) -> Entry | None:
    """The embeddings entry as `embeddingsProvider`, or None."""
    for entry in entries:
        if "embed" in entry["roles"]:
            kept = {key: entry[key] for key in ("provider", "model", "apiBase", "apiKey")}
            return {**kept, **entry["embedOptions"]}
    return None


def _legacy_options(entry: Entry) -> Entry:
    options = dict(entry["defaultCompletionOptions"])
    length = options.pop("contextLength", None)
    return {**({"contextLength": length} if length else {}), "completionOptions": options}
