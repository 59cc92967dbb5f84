"""Fetch a file: what a URL of http(s) leads to, each connection to an address that was judged, each byte counted."""

from __future__ import annotations

import http.client
import socket
import ssl
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urljoin

import mm2energon
from mm2energon.errors import InputError
from mm2energon.videochat.addresses import WebAddress, open_connection, parse_url, uses_proxy
from mm2energon.videochat.download import Downloaded, Fetch, shortened, too_large
from mm2energon.videochat.uploads import shown_name

_REDIRECTS = (301, 302, 303, 307, 308)
#: Refused to us, while yt-dlp may know how to ask.
_PERHAPS_A_SITE = (401, 403, 405, 406, 412, 429, 451)
_PIECE = 1 << 16
#: How many bytes are looked at to tell a page from a video.
_HEAD = 512


class IsPageError(Exception):
    """The URL leads to a page, not to a file; the text says what was found."""


def fetch(job: Fetch) -> Downloaded:
    """Fetch the file.

    Raises:
        InputError: there is none that may be fetched.
        IsPageError: it is text, or nothing that is given to strangers.
    """
    try:
        response, address = _answered(job)
        with response:
            size = _save(job, response)
    except (http.client.HTTPException, OSError, zlib.error) as error:
        raise _unreachable(job, error) from error
    return Downloaded(job.target, shown_name(unquote(Path(address.target.partition("?")[0]).name)), size)


def _answered(job: Fetch) -> tuple[http.client.HTTPResponse, WebAddress]:
    """The answer at the end of all redirects; each of them is judged as the first."""
    url = job.url
    for _ in range(job.limits.redirects + 1):
        address = parse_url(url, allowed=job.allowed)
        response = _ask(job, address)
        if response.status in _REDIRECTS and (place := response.getheader("Location")):
            response.close()
            url = urljoin(str(address), _mended(place))
            continue
        if response.status == http.client.OK:
            return response, address
        found = f"the server answered {response.status} ({response.reason[:80]})"
        if response.status in _PERHAPS_A_SITE:
            raise IsPageError(found)
        raise InputError(f"{shortened(url)}: {found}; a video was expected; check the URL")
    raise InputError(f"{shortened(job.url)}: more than {job.limits.redirects} redirects; give the URL of the video")


def _mended(place: str) -> str:
    """A place that a header names, as browsers read it: in UTF-8, spaces and all."""
    return place.encode("latin-1", "replace").decode("utf-8", "replace").strip().replace(" ", "%20")


def _ask(job: Fetch, address: WebAddress) -> http.client.HTTPResponse:
    """Ask one server, at the address that its name was found to have."""
    connection = http.client.HTTPConnection(address.host, address.port)
    plain = open_connection(address.host, address.port, seconds=job.limits.stall_seconds, allowed=job.allowed)
    connection.sock = _secured(plain, address)
    headers = {
        "Host": address.host_header,
        "User-Agent": f"mm2energon/{mm2energon.__version__}",
        "Accept": "video/*, */*;q=0.5",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    connection.request("GET", address.target, headers=headers)
    return connection.getresponse()


def _secured(connection: socket.socket, address: WebAddress) -> socket.socket:
    """With TLS where the scheme asks for it: the certificate must be that of the name, not of the number."""
    if address.scheme == "http":
        return connection
    return ssl.create_default_context().wrap_socket(connection, server_hostname=address.host)


def _save(job: Fetch, response: http.client.HTTPResponse) -> int:
    """Write the body to the target; how many bytes."""
    total = None if response.length is None or _coding(job, response) else response.length
    if total is not None and total > job.limits.bytes:
        raise too_large(job.url, job.limits.bytes)
    with job.target.open("wb") as file:
        size = _copy(job, file, response, total)
    if total is not None and size < total:
        raise InputError(f"{shortened(job.url)}: the connection broke after {size} of {total} bytes; try again")
    if not size:
        raise InputError(f"{shortened(job.url)}: the server sent nothing; a video was expected; check the URL")
    return size


def _copy(job: Fetch, file: IO[bytes], response: http.client.HTTPResponse, total: int | None) -> int:
    size, head = 0, b""
    for piece in _unpacked(job, response):
        if size < _HEAD and len(head := (head + piece)[:_HEAD]) == _HEAD:
            _refuse_page(head)
        size += len(piece)
        if size > job.limits.bytes:
            raise too_large(job.url, job.limits.bytes)
        file.write(piece)
        job.note.tell(size, total)
    if 0 < size < _HEAD:
        _refuse_page(head)
    return size


def _unpacked(job: Fetch, response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body in pieces of limited size, however much a small one unpacks to."""
    if not _coding(job, response):
        while piece := response.read1(_PIECE):
            yield piece
        return
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, told by its header
    while not unpack.eof and (packed := unpack.unconsumed_tail or response.read1(_PIECE)):
        yield unpack.decompress(packed, _PIECE)
    if not unpack.eof:
        raise InputError(f"{shortened(job.url)}: the connection broke before the end; try again")


def _coding(job: Fetch, response: http.client.HTTPResponse) -> str:
    """How the body is packed, as some servers do unasked; "" where it is not."""
    coding = (response.getheader("Content-Encoding") or "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise InputError(f"{shortened(job.url)}: it is packed as {coding[:40]!r}; plain bytes or gzip were expected")
    return "" if coding == "identity" else coding


def _refuse_page(head: bytes) -> None:
    """Refuse text: whatever the server calls it, no video begins so."""
    is_text = not any(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in head)  # noqa: PLR2004 - control characters
    if is_text and not head.startswith(b"YUV4MPEG2 "):
        raise IsPageError("it leads to a page or a text")


def _unreachable(job: Fetch, error: Exception) -> InputError:
    if isinstance(error, socket.gaierror):
        found = "there is no such host"
    elif isinstance(error, TimeoutError):
        found = f"the server said nothing for {job.limits.stall_seconds:g} s"
    else:
        found = str(getattr(error, "strerror", None) or error or type(error).__name__)
    proxy = " (a proxy of the environment is not used)" if uses_proxy() else ""
    return InputError(f"{shortened(job.url)}: {found}{proxy}; a public web server was expected; check the URL")
