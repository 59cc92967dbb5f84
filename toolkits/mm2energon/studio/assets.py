"""Assets: the files of the page, which come from the package alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from mm2energon.studio.answers import Refused

PAGE = Path(__file__).parent / "page"

#: Ending -> content type; files of other endings are not served.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


def router() -> APIRouter:
    """The routes of the page."""
    routes = APIRouter(include_in_schema=False)

    @routes.head("/", include_in_schema=False)
    @routes.get("/")
    def index(request: Request) -> Response:
        return _file(request, "index.html")

    @routes.head("/{name}", include_in_schema=False)
    @routes.get("/{name}")
    def asset(request: Request, name: str) -> Response:
        return _file(request, name)

    return routes


def _file(request: Request, name: str) -> Response:
    path = _assets().get(name)
    if path is None:
        raise Refused(404, "there is no such page")
    data = path.read_bytes()
    tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=_TYPES[path.suffix], headers=headers)


def _assets() -> dict[str, Path]:
    """Name -> file: what is asked for is looked up among what is there, and never made into a path."""
    return {path.name: path for path in PAGE.iterdir() if path.suffix in _TYPES}
