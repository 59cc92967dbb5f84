"""Sending: bytes and files as browsers ask for them, whole or a range, so that videos seek (RFC 9110, 14)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response, StreamingResponse

#: Of a route that sends, beside the whole: for its description.
ANSWERS: dict[int | str, dict[str, Any]] = {
    206: {"description": "The range that was asked for."},
    304: {"description": "Nothing has changed."},
}
_CHUNK_BYTES = 256 << 10
#: Of any number: one beyond the end is answered as such.
_RANGE = re.compile(r"bytes=\s*(\d{0,4000})-(\d{0,4000})\s*", re.ASCII | re.IGNORECASE)
#: What a browser may do with a medium that it shows by itself: nothing.
_SANDBOX = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"


class CutOffError(Exception):
    """What was promised is not there any more; whoever waits for it is hung up on."""


@dataclass(frozen=True)
class Sent:
    """Something that can be sent; the file is closed when it has been."""

    file: IO[bytes]
    size: int
    content_type: str
    #: What tells this content from any other that is asked for by the same address.
    tag: str
    #: What it is called when it is saved.
    name: str = ""
    #: Saved, never shown.
    is_attachment: bool = False


def file_tag(file: IO[bytes]) -> str:
    """What tells the content of an open file from what it was before and will be."""
    found = os.fstat(file.fileno())
    return f"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"


def send_bytes(request: Request, data: bytes, content_type: str, tag: str, *, name: str = "") -> Response:
    """Bytes, as `send`."""
    return send(request, Sent(BytesIO(data), len(data), content_type, tag, name))


def send(request: Request, what: Sent) -> Response:
    """The answer to a GET or HEAD: all of it, the range that was asked for, or that nothing has changed.

    Several ranges at once are answered with all of it, as RFC 9110, 14.2, allows.
    """
    tag, headers = f'"{what.tag}"', _headers(what)
    if _is_listed(request.headers.get("if-none-match", ""), tag):
        what.file.close()
        return Response(status_code=304, headers=headers)
    begin, end, status = 0, what.size, 200
    wanted = _range(request.headers.get("range", ""), what.size)
    if wanted is not None and request.headers.get("if-range", tag) == tag:
        begin, end = wanted
        if begin >= end:
            what.file.close()
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{what.size}"})
        status, headers["Content-Range"] = 206, f"bytes {begin}-{end - 1}/{what.size}"
    headers["Content-Length"] = str(end - begin)
    if request.method == "HEAD":
        what.file.close()
        return Response(status_code=status, headers=headers, media_type=what.content_type)
    return StreamingResponse(_chunks(what.file, begin, end), status, headers, media_type=what.content_type)


def _headers(what: Sent) -> dict[str, str]:
    headers = {
        "ETag": f'"{what.tag}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": _SANDBOX,
    }
    if what.name or what.is_attachment:
        # Of a name with half of a surrogate pair, or bytes that are no UTF-8, what can be said of it (RFC 8187).
        name = quote(what.name.encode("utf-8", "replace"), safe="")
        kind = "attachment" if what.is_attachment else "inline"
        headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{name or 'medium'}"
    return headers


def _is_listed(listed: str, tag: str) -> bool:
    tags = [one.strip().removeprefix("W/") for one in listed.split(",")]
    return tag in tags or tags == ["*"]


def _range(asked: str, size: int) -> tuple[int, int] | None:
    """Where a range begins and ends, the same where there is nothing in it; None where none is asked for."""
    wanted = _RANGE.fullmatch(asked)
    first, last = (wanted[1], wanted[2]) if wanted else ("", "")
    if first and last and int(last) < int(first):
        return None
    if not first:
        return (max(0, size - int(last)), size) if last else None
    return min(int(first), size), min(int(last) + 1, size) if last else size


def _chunks(file: IO[bytes], begin: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(begin)
        left = end - begin
        while left > 0 and (data := file.read(min(_CHUNK_BYTES, left))):
            left -= len(data)
            yield data
        if left > 0:
            raise CutOffError(f"a file became {left} bytes shorter while it was sent")
