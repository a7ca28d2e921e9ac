"""The body of a chat request: read as values, changed as text."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from .jsontext import Edits, decode, elements, literal, member, parse, start


class ChatBody:
    """One request. `fields` are its values; what is changed shows in `content` alone.

    Raises ValueError or RecursionError where `raw` is not JSON, TypeError where it is no object.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.text = decode(raw)
        fields = parse(self.text)
        if not isinstance(fields, dict):
            raise TypeError("The body is not a JSON object.")
        self.fields: dict[str, Any] = fields
        self._edits = Edits(self.text)
        self._top = start(self.text)
        if "rag" in fields:
            self._edits.drop(self._top, {"rag"})

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The client's messages, or [] where there are none that a chat could have."""
        found = self.fields.get("messages")
        if not isinstance(found, list) or not all(isinstance(m, dict) for m in found):
            return []
        return found

    def set_field(self, key: str, value: Any) -> None:
        """Give a field that is there another value."""
        if found := member(self.text, self._top, key):
            self._edits.replace(found.value, found.end, literal(value))

    def again(self) -> ChatBody:
        """The same request before anything was put into it, under the model's present name."""
        fresh = ChatBody(self.raw)
        if (model := self.fields.get("model")) != fresh.fields.get("model"):
            fresh.set_field("model", model)
            fresh.fields["model"] = model
        return fresh

    def put_first(self, message: dict[str, Any]) -> None:
        """Put a message before all others."""
        tail = ", " if self._spans else ""
        self._edits.replace(self._list + 1, self._list + 1, literal(message) + tail)

    def put_before(self, index: int, text: str) -> None:
        """Put `text` before what message `index` says, whatever form its content has."""
        found = self._content(index)
        if found is None:
            self._edits.add(self._spans[index][0], "content", text)
            return
        begin, end = found
        if self.text[begin] == '"':
            gap = "\n\n" if self.text[begin : begin + 2] != '""' else ""
            self._edits.replace(begin, begin + 1, literal(text + gap)[:-1])
        elif self.text[begin] == "[":
            tail = ", " if elements(self.text, begin) else ""
            part = literal({"type": "text", "text": text}) + tail
            self._edits.replace(begin + 1, begin + 1, part)
        else:
            self._edits.replace(begin, end, literal(text))

    def set_text(self, index: int, text: str, part: int | None = None) -> None:
        """Give message `index`, or one text part of it, another text."""
        found = self._content(index)
        if found is None:
            return
        if part is not None:
            inner = member(self.text, elements(self.text, found[0])[part][0], "text")
            if inner is None:
                return
            found = (inner.value, inner.end)
        self._edits.replace(*found, literal(text))

    @property
    def content(self) -> bytes:
        """The bytes to send: the client's own where nothing was changed."""
        if not self._edits.changes:
            return self.raw
        return self._edits.apply().encode("utf-8", "surrogatepass")

    @property
    def told(self) -> dict[str, Any]:
        """The fields as the upstream will read them."""
        fields: dict[str, Any] = parse(decode(self.content))
        return fields

    @cached_property
    def _list(self) -> int:
        """Where the list of messages begins."""
        found = member(self.text, self._top, "messages")
        if found is None:
            raise LookupError("messages")
        return found.value

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        return elements(self.text, self._list)

    def _content(self, index: int) -> tuple[int, int] | None:
        found = member(self.text, self._spans[index][0], "content")
        return None if found is None else (found.value, found.end)
