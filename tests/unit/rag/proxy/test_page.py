"""The page's files: what they may do, and that they ask nobody but the proxy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from scifi_llm.rag.proxy import page

Client = Callable[..., httpx.AsyncClient]
FILES = sorted(page.FOLDER.iterdir())


async def test_the_page_and_what_it_links_to_are_there(client: Client) -> None:
    async with client() as asking:
        answer = await asking.get("/")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        linked = re.findall(r'(?:href|src)="(/[^"]+)"', answer.text)
        assert len(linked) == 3
        for path in linked:
            assert (await asking.get(path)).status_code == 200


@pytest.mark.parametrize("path", page.OPEN_PATHS)
async def test_every_file_forbids_what_it_does_not_need(client: Client, path: str) -> None:
    headers = (await client().get(path)).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[key] for key in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["page.html", "..%2fpage.py", "%2e%2e%2fapp.py", "x.js"])
async def test_no_other_file_can_be_had(client: Client, name: str) -> None:
    assert (await client().get(f"/assets/{name}")).status_code == 404


async def test_the_page_opens_without_the_key_that_its_data_needs(client: Client) -> None:
    async with client(api_key="secret") as asking:
        for path in page.OPEN_PATHS:
            assert (await asking.get(path)).status_code == 200
        assert (await asking.get("/rag/collections")).status_code == 401


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_comes_from_elsewhere_and_no_text_becomes_markup(file: Path) -> None:
    text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//cdn|url\(", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
    assert not re.search(r"<style|<script>|\sstyle=|\son[a-z]+=", text), "the policy forbids it"


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in FILES) < 40_000
