"""A web server on loopback, whose every answer a test decides."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Answers one request.
Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Web:
    """A server: what it answers by path, and what it was asked."""

    answers: dict[str, Answer]
    endpoint: tuple[str, int] = ("127.0.0.1", 0)
    scheme: str = "http"
    #: Path and headers of each request.
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.endpoint[1]}{path}"

    @property
    def allowed(self) -> set[tuple[str, int]]:
        return {self.endpoint, ("localhost", self.endpoint[1])}


@contextlib.contextmanager
def serving(answers: dict[str, Answer], *, tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """Serve until the block ends."""
    web = Web(answers, scheme="http" if tls is None else "https")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append((self.path, dict(self.headers.items())))
            with contextlib.suppress(ConnectionError):
                web.answers.get(self.path, refuse)(self)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    web.endpoint = ("127.0.0.1", server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refuse(handler: BaseHTTPRequestHandler) -> None:
    """404."""
    handler.send_error(404)


def give(body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> Answer:
    """A body; underscores of header names stand for hyphens, and `length` for what it is said to be long."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirect(place: str) -> Answer:
    """302 to another place."""
    return give(b"", status=302, Location=place)


def endless(piece: bytes) -> Answer:
    """A body of unknown length that never ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(piece)

    return answer


def stalling(piece: bytes) -> Answer:
    """A body that stops short of what was promised, with the connection open."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(2 * len(piece)))
        handler.end_headers()
        handler.wfile.write(piece)
        handler.wfile.flush()
        handler.rfile.read()  # until the other side has had enough

    return answer
