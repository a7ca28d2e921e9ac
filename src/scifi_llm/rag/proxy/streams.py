"""What is added to answers: the field `rag`, and the footer in the answer's own text."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from ...openai_api import DONE, sse
from .jsontext import Edits, decode, elements, literal, member, parse, start
from .window import answer_tokens

MAX_EVENT = 1_000_000  # bytes; what is longer without an end is no event and is let through
_EVENT_END = re.compile(rb"\r?\n\r?\n")
_REASON = "finish_reason"
_ENDS = ("stop", "length")  # an answer that ends in a call of tools takes no footer
SHORT = 32  # tokens; an answer that may not be longer is a title or a label, not prose


def sources_chunk(model: str, sources: dict[str, Any]) -> dict[str, Any]:
    """The stream's chunk with the sources: no choices, so that clients add no text."""
    return {
        "id": "rag-sources",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": model,
        "choices": [],
        "rag": sources,
    }


def with_sources(answer: bytes, sources: dict[str, Any] | None, footer: str = "") -> bytes:
    """A JSON answer with the field `rag` and the footer; anything else as it is."""
    try:
        text = decode(answer)
        body = parse(text)
    except (ValueError, RecursionError):
        return answer
    if not isinstance(body, dict):
        return answer
    edits = Edits(text)
    if footer and isinstance(body.get("choices"), list):
        for at, choice in _choices(text, body["choices"]):
            _append(edits, at, "message", choice.get("message"), footer)
    if sources:
        edits.add(start(text), "rag", sources)
    return edits.apply().encode("utf-8", "surrogatepass") if edits.changes else answer


def _choices(text: str, choices: list[Any]) -> list[tuple[int, dict[str, Any]]]:
    """(where it begins, choice) of every choice that ends with text."""
    found = member(text, start(text), "choices")
    if found is None:
        return []
    spans = elements(text, found.value)
    return [
        (span[0], choice)
        for span, choice in zip(spans, choices, strict=True)
        if isinstance(choice, dict) and choice.get(_REASON, "stop") in _ENDS
    ]


def _append(edits: Edits, choice: int, key: str, message: Any, footer: str) -> bool:
    """Put the footer behind a message's text; False where it has none."""
    if not isinstance(message, dict) or message.get("tool_calls"):
        return False
    content = message.get("content")
    outer = member(edits.text, choice, key)
    if not isinstance(content, str) or not content or outer is None:
        return False
    inner = member(edits.text, outer.value, "content")
    if inner is None:
        return False
    edits.replace(inner.end - 1, inner.end, literal(footer)[1:])
    return True


class FooterWriter:
    """Puts a footer behind each choice's text in a stream of bytes, wherever the bytes are cut.

    Events pass as they are, except that the one that ends an answer gets the footer before it, as
    a chunk of its own, or at the end of the text that it brings itself: many clients stop reading
    at `finish_reason`.
    """

    def __init__(self, footer: str) -> None:
        self._footer = footer
        self._held = b""
        self._spoke: set[int] = set()
        self._called: set[int] = set()
        self._last: dict[str, Any] = {}

    def feed(self, data: bytes) -> bytes:
        """Bytes to send on for the bytes that came: whole events."""
        buffer, out = self._held + data, []
        while found := _EVENT_END.search(buffer):
            out.append(self._event(buffer[: found.end()]))
            buffer = buffer[found.end() :]
        if len(buffer) > MAX_EVENT:
            out, buffer = [*out, buffer], b""
        self._held = buffer
        return b"".join(out)

    def close(self) -> bytes:
        """What is still held when the stream ends."""
        held, self._held = self._held, b""
        return held

    def _event(self, event: bytes) -> bytes:
        line = event.strip()
        if line == DONE:  # for choices that ended without a finish_reason
            late = sorted(self._spoke - self._called)
            return b"".join(sse(self._chunk(self._last, index)) for index in late) + event
        if not line.startswith(b"data:") or b'"choices"' not in line:
            return event
        try:
            text = decode(line[5:].strip())
            body = parse(text)
        except (ValueError, RecursionError):
            return event
        choices = body.get("choices") if isinstance(body, dict) else None
        if not isinstance(choices, list) or not choices:
            return event
        self._last = body
        self._note(choices)
        edits, before = Edits(text), b""
        ended = [choice for choice in choices if isinstance(choice, dict) and choice.get(_REASON)]
        for at, choice in _choices(text, choices) if ended else []:
            index = _index(choice)
            if choice not in ended or index in self._called or index not in self._spoke:
                continue
            if not _append(edits, at, "delta", choice.get("delta"), self._footer):
                before += sse(self._chunk(body, index))
        self._spoke -= {_index(choice) for choice in ended}
        if not edits.changes:
            return before + event
        changed = edits.apply().encode("utf-8", "surrogatepass")
        return before + b"data: " + changed + event[len(event.rstrip()) :]

    def _note(self, choices: list[Any]) -> None:
        """Remember which choices have brought text, and which have called tools."""
        for choice in choices:
            delta = choice.get("delta") if isinstance(choice, dict) else None
            if isinstance(delta, dict):
                if isinstance(delta.get("content"), str) and delta["content"]:
                    self._spoke.add(_index(choice))
                if delta.get("tool_calls"):
                    self._called.add(_index(choice))

    def _chunk(self, body: dict[str, Any], index: int) -> dict[str, Any]:
        kept: dict[str, Any] = {
            key: body[key] for key in ("id", "object", "created", "model") if key in body
        }
        delta = {"content": self._footer}
        return {**kept, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}


def _index(choice: dict[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


async def with_footer(
    source: AsyncGenerator[bytes, None] | AsyncIterator[bytes], footer: str
) -> AsyncGenerator[bytes, None]:
    """A stream with the footer; closing it closes the stream behind it."""
    writer = FooterWriter(footer)
    async with aclosing(source) as pieces:  # type: ignore[type-var]
        async for data in pieces:
            if out := writer.feed(data):
                yield out
    if rest := writer.close():
        yield rest


def takes_footer(fields: dict[str, Any]) -> bool:
    """May text be added to this request's answers?

    Not where a program is going to parse them, nor to what an editor asks for beside the chat: its
    titles are asked for with 12 to 16 `max_tokens`.
    """
    longest = answer_tokens(fields)
    if longest is not None and longest <= SHORT:
        return False
    shape = fields.get("response_format")
    kind = shape.get("type") if isinstance(shape, dict) else None
    structured = any(key.startswith("guided_") for key in fields)
    return not (
        (kind not in (None, "text"))
        or structured
        or fields.get("structured_outputs")
        or fields.get("logprobs")
    )


def as_json(value: Any) -> bytes:
    """A value as the bytes of JSON."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
