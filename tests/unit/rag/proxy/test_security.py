"""Who may come in: every combination of Host, Origin and key that matters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scifi_llm.errors import ToolkitError
from scifi_llm.rag.proxy.guard import Guard
from scifi_llm.rag.proxy.security import Door, host_name

CHAT = "/v1/chat/completions"


def door(key: str = "", host: str = "127.0.0.1", **names: tuple[str, ...]) -> Door:
    guard = Guard(hosts=names.get("hosts", ()), origins=names.get("origins", ()))
    return Door(guard, key, host)


def status(made: Door, path: str = CHAT, **headers: str) -> int:
    found = made.refusal(
        path, {k.replace("_", "-").encode(): v.encode("latin-1") for k, v in headers.items()}
    )
    return found.status if found else 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("localhost:8001", 200),
        ("LOCALHOST:8001", 200),
        ("localhost.:8001", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8001", 200),
        ("192.168.0.5:8001", 200),  # no site can take an address for its name
        ("evil.example", 421),
        ("evil.example:8001", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost:80@evil.example", 421),
        ("[::1", 421),
        ("book.lan", 421),
    ],
)
def test_host(host: str, expected: int) -> None:
    assert status(door(), host=host) == expected


def test_configured_hosts() -> None:
    assert status(door(hosts=("book.lan",)), host="Book.lan:8001") == 200
    assert status(door(host="book.lan"), host="book.lan:8001") == 200
    assert status(door(hosts=("*",)), host="any.example") == 200
    assert status(door(hosts=("book.lan",)), host="evil.example") == 421


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:8001", 200),
        ("https://localhost:8001", 200),
        ("vscode-webview://1a2b", 200),
        ("vscode-file://vscode-app", 200),
        ("http://localhost:3000", 403),
        ("http://localhost", 403),
        ("https://evil.example", 403),
        ("http://evil.example/vscode-webview://", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
        ("chrome-extension://abc", 403),
    ],
)
def test_origin(origin: str, expected: int) -> None:
    assert status(door(), host="localhost:8001", origin=origin) == expected
    assert status(door(), "/health", host="localhost:8001", origin=origin) == expected


def test_configured_origins_and_cors() -> None:
    made = door(origins=("http://localhost:3000",))
    headers = {b"host": b"localhost:8001", b"origin": b"http://localhost:3000"}
    assert made.refusal(CHAT, headers) is None
    assert made.cors_origin(headers) == "http://localhost:3000"
    assert made.cors_origin({b"origin": b"vscode-webview://1"}) == ""
    assert door().cors_origin(headers) == ""
    assert door(origins=("*",)).cors_origin(headers) == "http://localhost:3000"
    Guard(origins=("http://localhost:3000", "*")).check()
    with pytest.raises(ToolkitError, match="RAG_ALLOWED_ORIGINS=localhost is no origin"):
        Guard(origins=("localhost",)).check()


def test_requests_that_a_page_makes_without_an_origin() -> None:
    made = door()
    assert (
        status(made, host="localhost", sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403
    )
    assert (
        status(made, host="localhost", sec_fetch_site="cross-site", sec_fetch_mode="navigate")
        == 200
    )
    assert status(made, host="localhost", sec_fetch_site="same-origin") == 200


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 401),
        ({"authorization": "Bearer geheim-ü"}, 200),
        ({"authorization": "bearer geheim-ü"}, 200),
        ({"x_api_key": "geheim-ü"}, 200),
        ({"authorization": "Bearer other", "x_api_key": "geheim-ü"}, 200),
        ({"authorization": "geheim-ü"}, 401),
        ({"authorization": "Basic geheim-ü"}, 401),
        ({"authorization": "Bearer geheim"}, 401),
        ({"authorization": "Bearer geheim-üx"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"x_api_key": ""}, 401),
        ({"x_api_key": "\xff\xfe"}, 401),
    ],
)
def test_key(headers: dict[str, str], expected: int) -> None:
    sent = {k: v.replace("ü", "\xc3\xbc") for k, v in headers.items()}
    assert status(door("geheim-ü"), host="localhost", **sent) == expected
    assert status(door("geheim-ü"), "/health", host="localhost", **sent) == 200


@given(st.text(max_size=30))
def test_any_host_has_a_name_and_only_local_ones_pass(value: str) -> None:
    name = host_name(value)
    assert name == name.lower()
    if not any(mark in value for mark in ".:[") and name not in ("localhost", ""):
        made = door().refusal(CHAT, {b"host": value.encode("latin-1", "ignore") or b"x"})
        assert made is not None


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_no_header_makes_it_fail(host: bytes, origin: bytes, key: bytes) -> None:
    headers = {b"host": host, b"origin": origin, b"authorization": key, b"x-api-key": key}
    found = door("secret").refusal(CHAT, headers)
    assert found is not None
    assert found.status in (401, 403, 421)
