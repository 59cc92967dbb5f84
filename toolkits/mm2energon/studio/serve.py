"""Serve: a studio that listens until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from mm2energon.errors import InputError
from mm2energon.studio.app import create_app
from mm2energon.studio.settings import Settings
from mm2energon.terminal import shown

#: Seconds that open answers have to end when the studio stops.
_GRACE_SECONDS = 2
#: Seconds for which a connection may be there without a whole head of a request.
_HEAD_SECONDS = 60.0
_SERVER_LOG = logging.getLogger("uvicorn.error")


def serve(settings: Settings, *, listens: Callable[[Settings], None]) -> None:
    """Serve a studio until Ctrl-C or SIGTERM, which go on to the caller once all is closed.

    Args:
        listens: told, once, when it answers, by which settings: port 0 has become the port that was free.

    Raises:
        InputError: nobody can listen there; or the data cannot be opened.
    """
    settings.check()
    with _listening(settings) as listener:
        settings = replace(settings, port=listener.getsockname()[1])
        app = create_app(settings)
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=_Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            proxy_headers=False,  # who asks is never told by a header
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        try:
            _Server(config, app, lambda: listens(settings)).run(sockets=[listener])
        finally:
            _SERVER_LOG.setLevel(logging.NOTSET)


class _Server(uvicorn.Server):
    """A server that says when it listens, and lets open streams end when it is stopped."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, listens: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._listens = app, listens

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listens()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.studio.is_ending.set()
        _SERVER_LOG.setLevel(logging.CRITICAL + 1)  # what is cut off from now on is cut off on purpose
        await super().shutdown(sockets)


class _Connection(H11Protocol):
    """A connection that ends where no request comes, or half of one; uvicorn limits pauses between two alone."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def _expect_request(self) -> None:
        self.loop.call_later(_HEAD_SECONDS, self._look, self.cycle)

    def _look(self, before: object) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is before and self.conn.their_state is h11.IDLE:  # none has begun, and none is answered
            self.shutdown()
        else:
            self._expect_request()


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """A socket that listens at the address.

    Raises:
        InputError: it is taken, or none of this machine's.
    """
    try:
        kind, _, _, _, place = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(place[:2], family=kind, backlog=256)
    except OSError as error:
        raise InputError(_told(error, settings)) from error
    except (UnicodeError, OverflowError) as error:
        raise InputError(f"--host {settings.host}: is no address; 127.0.0.1 was expected") from error
    with listener:
        yield listener


def _told(error: OSError, settings: Settings) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"--port {settings.port}: another program listens at {settings.host}:{settings.port}; "
            f"a free port was expected; choose another one, such as --port {settings.port + 1}, or 0 for any"
        )
    if error.errno == errno.EACCES:
        return f"--port {settings.port}: may not be used by you; a port above 1023 was expected; choose another one"
    number = error.errno or 0
    reason = os.strerror(number) if number > 0 else error.strerror  # Python's own adds the address
    return f"--host {settings.host}: {reason}; an address of this machine was expected"


class PlainFormatter(logging.Formatter):
    """Lines of a log, without what a terminal would obey: data of strangers stand in them."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of one record."""
        return "\n".join(shown(line) for line in super().format(record).splitlines())
