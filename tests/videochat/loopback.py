"""Small servers on the loopback that keep what they were asked and answer as they were told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What goes out: JSON, or events as they are made."""

    status: int = 200
    body: Any = None
    events: list[Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Is waited for before the last event.
    hold: threading.Event | None = None
    #: Instead of all that: say nothing, and set this once the other side hangs up.
    hung_up: threading.Event | None = None


class Loopback:
    """A server's address, and what it was asked."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[Request] = []


@contextmanager
def serving(answer: Callable[[Request], Reply]) -> Iterator[Loopback]:
    """A server for the block."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            loopback.requests.append(asked)
            reply = answer(asked)
            if reply.hung_up is not None:
                self._await_end(reply.hung_up)
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.events is None:
                self._send_json(reply.body)
            else:
                self._send_events(reply)

        do_GET = do_POST = do_DELETE = _serve

        def _await_end(self, hung_up: threading.Event) -> None:
            self.connection.settimeout(20)
            with suppress(TimeoutError):
                self.connection.recv(1)
                hung_up.set()
            self.close_connection = True

        def _send_json(self, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _send_events(self, reply: Reply) -> None:
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for number, event in enumerate(reply.events or [], start=1):
                if reply.hold is not None and number == len(reply.events or []):
                    reply.hold.wait(20)
                text = event if isinstance(event, str) else json.dumps(event)
                self.wfile.write(f"data: {text}\n\n".encode())
                self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    loopback = Loopback(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
