"""Our own routes do what their OpenAPI document says, whatever is sent: schemathesis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from scifi_llm.rag.proxy.app import create_app
from scifi_llm.rag.proxy.guard import Guard
from scifi_llm.rag.proxy.settings import ProxySettings
from scifi_llm.rag.retrieval import Retriever

OPERATIONS = {"health", "metrics", "collections", "search", "explain"}


@pytest.fixture
def document(collection: Path, upstream: Any) -> Any:
    app = create_app(
        ProxySettings("novel", "http://upstream/v1", state=None, retrieval_seconds=60),
        Retriever(collection, "novel"),
        httpx.AsyncClient(transport=httpx.MockTransport(upstream.handle)),
        Guard(hosts=("testserver",)),
    )
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def test_own_routes_keep_to_their_document(document: Any) -> None:
    operations = [found.ok() for found in document.get_all_operations()]
    assert {operation.definition.raw["operationId"] for operation in operations} == OPERATIONS
    for operation in operations:
        for mode in GenerationMode:
            check(operation, mode)


def check(operation: Any, mode: Any) -> None:
    """Send what the document allows, or what it forbids, and validate what comes."""
    if mode is GenerationMode.NEGATIVE and operation.method == "get":
        return  # there is nothing that could be wrong

    checks = list(HealthCheck)

    @settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=checks)
    @given(data=st.data())
    def run(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        # What names a collection that is not there is well-formed and a 400 all the same.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    run()
