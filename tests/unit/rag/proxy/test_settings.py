"""Settings that would open the canon to a network are refused."""

from __future__ import annotations

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
