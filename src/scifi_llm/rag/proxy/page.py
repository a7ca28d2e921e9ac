"""The author's page at /: three small files of ours, and nothing from anywhere else."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import Response

router = APIRouter()

FOLDER = Path(__file__).parent / "static"
ASSETS = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "view.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
# The page shows the notes: whatever a note holds, nothing in it runs or leaves the machine.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
OPEN_PATHS = ("/", *(f"/assets/{name}" for name in ASSETS))  # they hold nothing of the canon


@cache
def _file(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@router.get("/", include_in_schema=False)
async def page() -> Response:
    """The page."""
    return Response(_file("page.html"), headers=HEADERS, media_type="text/html; charset=utf-8")


@router.get("/assets/{name}", include_in_schema=False)
async def asset(name: str) -> Response:
    """Its style and scripts, by name: no path from a request reaches the file system."""
    if name not in ASSETS:
        return Response(status_code=404)
    return Response(_file(name), headers=HEADERS, media_type=ASSETS[name])
