"""Whether a request may come in: key, Host and Origin. Pure.

A page of any web site can make the author's browser ask this port. Browsers tell where such a
request comes from (Origin), and a site that points its own name at 127.0.0.1 is told by Host.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from .guard import Guard

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
# VS Code's own windows; a web page cannot take such an origin.
EDITOR_ORIGINS = ("vscode-webview://", "vscode-file://")
Headers = Mapping[bytes, bytes]


@dataclass(frozen=True)
class Refusal:
    """An answer that is no answer; `close`: the rest of the request is not read."""

    status: int
    message: str
    kind: str = "invalid_request_error"
    close: bool = False


@dataclass(frozen=True)
class Door:
    """Who may come in: our key, the names this server goes by, what needs no key."""

    guard: Guard
    api_key: str = ""
    host: str = "127.0.0.1"
    open_paths: frozenset[str] = frozenset({"/health"})

    def refusal(self, path: str, headers: Headers) -> Refusal | None:
        """Why a request is refused, or None. `headers` have lower-case names."""
        return (
            self._host(headers.get(b"host"))
            or self._origin(headers, path)
            or self._key(headers, path)
        )

    def cors_origin(self, headers: Headers) -> str:
        """The origin whose pages may read the answer, "" for none."""
        origin = headers.get(b"origin", b"").decode("latin-1")
        return origin if origin and self._listed(origin) else ""

    def _listed(self, origin: str) -> bool:
        return "*" in self.guard.origins or origin in self.guard.origins

    def _host(self, value: bytes | None) -> Refusal | None:
        name = host_name((value or b"").decode("latin-1"))
        if not value or name in LOCAL_HOSTS or "*" in self.guard.hosts or is_address(name):
            return None  # no browser leaves Host out, and no site can take an address for its name
        if name in (self.host.lower(), *(host.lower() for host in self.guard.hosts)):
            return None
        return Refusal(
            421,
            f"This server does not go by the name {name[:100]!r}. To allow it, "
            "start the proxy with RAG_ALLOWED_HOSTS=NAME.",
            "misdirected_request",
        )

    def _origin(self, headers: Headers, path: str) -> Refusal | None:
        raw = headers.get(b"origin")
        if raw is None:
            site, mode = headers.get(b"sec-fetch-site"), headers.get(b"sec-fetch-mode")
            if site != b"cross-site" or mode == b"navigate" or path in self.open_paths:
                return None
            return _foreign("another site")
        origin = raw.decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if urlsplit_safe(origin) == ("http", host) or urlsplit_safe(origin) == ("https", host):
            return None
        if origin.startswith(EDITOR_ORIGINS) or self._listed(origin):
            return None
        return _foreign(repr(origin[:100]))

    def _key(self, headers: Headers, path: str) -> Refusal | None:
        if not self.api_key or path in self.open_paths:
            return None
        wanted = self.api_key.encode()
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        bearer = token.strip() if scheme.lower() == b"bearer" else b""
        # Both are compared, whichever was sent: the time taken tells nothing.
        by_bearer = hmac.compare_digest(bearer, wanted)
        by_header = hmac.compare_digest(headers.get(b"x-api-key", b""), wanted)
        if by_bearer or by_header:
            return None
        return Refusal(401, "The API key is not the proxy's RAG_API_KEY.", "invalid_api_key")


def _foreign(origin: str) -> Refusal:
    return Refusal(
        403,
        f"Web pages of {origin} may not ask this server. To allow them, "
        "start the proxy with RAG_ALLOWED_ORIGINS=ORIGIN.",
        "forbidden_origin",
    )


def urlsplit_safe(origin: str) -> tuple[str, str]:
    """(scheme, host with port) of an origin; ("", "") where it is none."""
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc


def is_address(name: str) -> bool:
    """Whether it is an IP address."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def host_name(value: str) -> str:
    """The name in a Host header, lower case, without port and brackets."""
    value = value.strip().lower()
    if value.startswith("["):
        return value[1 : value.find("]")] if "]" in value else value
    name, _, port = value.partition(":")
    return (name if not port or port.isdigit() else value).rstrip(".")
