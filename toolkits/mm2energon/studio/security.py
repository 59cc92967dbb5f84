"""Security: who is answered at all, how much is read of what is sent, and what browsers are told to refuse."""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mm2energon.studio.answers import Json, Refused, crash_told, error_answer
from mm2energon.studio.login import Gate, address_of
from mm2energon.studio.sending import CutOffError
from mm2energon.studio.settings import LOOPBACK, Settings

_log = logging.getLogger(__name__)

#: Bytes of a request that is no upload.
MOST_BODY_BYTES = 4 << 20
UPLOADS = ("PUT", "/api/chat/videos")
#: Seconds for which nothing may come of a request that has begun; an upload has more patience of its own.
_STALL_SECONDS = 300.0

#: A name, or an address of version 6 in brackets, with or without a port (RFC 9110, 7.2).
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]\s,@]+))(?::\d{0,5})?", re.ASCII)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
#: What is answered before anybody has logged in.
_OPEN = frozenset({"/api/login"})

#: Scripts, styles and media of ours alone, nothing inline, no HTML made from text, nobody's frame.
CONTENT_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
}


class Guard:
    """Stands before all routes: refuses strangers, limits bodies, adds headers, and keeps traces from leaving."""

    def __init__(self, app: ASGIApp, settings: Settings, gate: Gate) -> None:
        self._app, self._settings, self._gate = app, settings, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _Answer(send, scope["path"]))

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        headers = Headers(scope=scope)
        try:
            self._check(scope, headers)
            limit = self._most_bytes(scope["method"], scope["path"], headers)
            await self._app(scope, _limited(receive, limit), answer)
        except Refused as refused:
            await error_answer(refused.status, str(refused), refused.code)(scope, receive, answer)
        except ClientDisconnect:
            pass  # whoever sent something has gone
        except CutOffError as error:
            _log.warning("%s", error)
        except Exception as error:  # noqa: BLE001 (whatever it is, its trace stays here)
            crash = Json({"error": crash_told(error)}, 500)
            if not answer.has_begun:
                await crash(scope, receive, answer)

    def _check(self, scope: Scope, headers: Headers) -> None:
        path, host = scope["path"], _host(headers)
        own = (*LOOPBACK, self._settings.host)
        if self._settings.is_loopback and _name(host) not in own and host not in self._settings.names:
            raise Refused(403, f"the studio is asked for as {host[:100]!r}; open it by the address that it printed")
        if path.startswith("/api/"):
            _check_origin(scope["method"], headers, (host, *self._settings.names))
            if path not in _OPEN:
                self._gate.check(headers, address_of(scope))

    def _most_bytes(self, method: str, path: str, headers: Headers) -> int:
        limit = self._settings.max_upload_bytes if (method, path) == UPLOADS else MOST_BODY_BYTES
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise Refused(400, "the length of the request is no number")
        if int(length[:20]) > limit:
            raise Refused(413, _too_long(limit), "too-large")
        return limit


class _Answer:
    """Sends an answer, with our headers where it has none of that name."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._headers = HEADERS | ({"Cache-Control": "no-store"} if path.startswith("/api/") else {})
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def _host(headers: Headers) -> str:
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not hosts[0]:
        raise Refused(400, "a request names its host once")
    return hosts[0].lower()


def _name(host: str) -> str:
    """The name of a host without its port and brackets; nothing where it is none."""
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]) if found else ""


def _check_origin(method: str, headers: Headers, hosts: tuple[str, ...]) -> None:
    """Refuse what another page, or a form, sends in the name of somebody who has the studio open.

    A header of our own can be set by scripts of our own page alone: for others browsers ask first, and get no leave.
    Programs that are no browsers send neither origin nor site.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_safe = method in _SAFE_METHODS
    if site not in ((None, "same-origin", "none") if is_safe else (None, "same-origin")):
        raise Refused(403, "another site asks; the studio answers its own page alone", "cross-site")
    if origin is not None and _netloc(origin) not in hosts:
        raise Refused(403, "another site asks; the studio answers its own page alone", "cross-site")
    if not is_safe and headers.get("x-studio") != "1":
        raise Refused(403, "the header X-Studio: 1 is missing, by which the page shows that it asks", "cross-site")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _limited(receive: Receive, limit: int) -> Receive:
    """What is received, up to so many bytes, and while there is no end of it not after any time."""
    seen, is_whole = 0, False

    async def limited() -> Message:
        nonlocal seen, is_whole
        try:
            with anyio.fail_after(None if is_whole else _STALL_SECONDS):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, "the rest of the request did not come; send it again") from error
        seen += len(message.get("body", b""))
        is_whole = not message.get("more_body", False)
        if seen > limit:
            raise HTTPException(413, _too_long(limit))
        return message

    return limited


def _too_long(limit: int) -> str:
    return f"more than {limit} bytes were sent; fewer were expected; a video may be larger with --max-upload"
