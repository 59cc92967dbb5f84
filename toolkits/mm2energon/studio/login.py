"""Login: the token that a studio beyond loopback asks for, the cookie that stands for it, and tries that fail."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import deque

import anyio
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from mm2energon.studio.answers import Json, Refused

#: Seconds that a failed try takes, and how many of one address may fail in a minute before it is asked no more.
SLOW_SECONDS = 1.0
_MOST_FAILURES = 10
_MINUTE = 60.0
_ADDRESSES_REMEMBERED = 4096


class Gate:
    """Knows who may come in."""

    def __init__(self, token: str | None, port: int) -> None:
        self._token = None if token is None else token.encode("utf-8", "surrogatepass")
        #: Cookies are shared by all ports of a host.
        self.cookie = f"mm2energon-studio-{port}"
        #: Address -> when its last tries failed.
        self._failures: dict[str, deque[float]] = {}

    @property
    def is_closed(self) -> bool:
        """Whether a token is asked for."""
        return self._token is not None

    @property
    def pass_(self) -> str:
        """What the cookie holds: it comes from the token alone, so that it is good for the next start, too."""
        return hmac.new(self._token or b"", b"mm2energon studio", hashlib.sha256).hexdigest()

    def lets_in(self, headers: Headers, address: str) -> bool:
        """Whether a request comes from somebody who has logged in, or brings the token itself.

        Raises:
            Refused: it brings a wrong token, and so did too many before it.
        """
        if self._token is None or self._has_cookie(headers):
            return True
        kind, _, given = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.is_token(given.strip(), address)

    def check(self, headers: Headers, address: str) -> None:
        """Refuse whoever may not come in.

        Raises:
            Refused: no cookie, and no token.
        """
        if not self.lets_in(headers, address):
            raise Refused(401, "the token is missing that the studio was started with; log in")

    def is_token(self, given: str, address: str) -> bool:
        """Whether that is the token; the time that it takes to say so tells nothing.

        Raises:
            Refused: too many wrong ones came from that address in the last minute.
        """
        now, failures = time.monotonic(), self._failures.get(address, deque(maxlen=_MOST_FAILURES))
        if len(failures) == _MOST_FAILURES and now - failures[0] < _MINUTE:
            raise Refused(429, "too many wrong tokens were tried; wait for a minute", "too-many-tries")
        if hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token or b""):
            return True
        failures.append(now)
        if len(self._failures) >= _ADDRESSES_REMEMBERED:
            self._failures.clear()
        self._failures[address] = failures
        return False

    def _has_cookie(self, headers: Headers) -> bool:
        # As browsers have it (RFC 6265, 5.4): what other servers of this host put into theirs stays their own affair.
        found = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        return hmac.compare_digest(found.encode(), self.pass_.encode())


def address_of(scope: Scope) -> str:
    """Where a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


class Login(BaseModel):
    """What somebody logs in with."""

    token: str


def router(gate: Gate) -> APIRouter:
    """The routes by which one comes in, and goes."""
    routes = APIRouter(prefix="/api")

    @routes.post("/login")
    async def login(request: Request, given: Login) -> Response:
        if gate.is_closed and not gate.is_token(given.token.strip(), address_of(request.scope)):
            await anyio.sleep(SLOW_SECONDS)
            raise Refused(401, "that is not the token that the studio was started with", "wrong-token")
        answer = Json({"ok": True})
        answer.set_cookie(
            gate.cookie, gate.pass_, httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return answer

    @routes.post("/logout")
    async def logout() -> Response:
        answer = Json({"ok": True})
        answer.delete_cookie(gate.cookie, httponly=True, samesite="strict")
        return answer

    return routes
