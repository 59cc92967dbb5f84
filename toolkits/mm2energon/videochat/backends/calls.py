"""Calls: what the back ends that are servers have in common: requests, streams of events, and errors without keys."""

from __future__ import annotations

import base64
import json
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

from mm2energon.errors import InputError, missing_extra
from mm2energon.video.jpeg import encode_jpeg
from mm2energon.video.picture import Pixels
from mm2energon.videochat.frames import Bounded

#: Frames that leave this machine: longest side in pixels, and JPEG quality.
FRAME_SIZE = Bounded(768)
_QUALITY = 85
#: Seconds to reach a server, and between two pieces of its answer: the first may be long in coming.
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 300.0
#: Seconds that a list of models may take: a page waits for it.
_LIST_SECONDS = 4.0
#: Characters of a server's own words that are passed on.
_MOST_SAID = 300
#: Bytes of one event, at most.
_LONGEST_LINE = 16 << 20
_LINE_END = re.compile(r"[\r\n]")


class Server:
    """A server, its address and its key; the key is in no message and in no representation."""

    def __init__(self, name: str, address: str, headers: dict[str, str], *, secret: str | None) -> None:
        httpx = import_httpx()
        self._name, self._secret = name, secret
        #: Of the connections that are open.
        self._sockets: WeakSet[socket.socket] = WeakSet()
        timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
        try:
            self.client = httpx.Client(base_url=address.rstrip("/") + "/", headers=headers, timeout=timeout)
        except (httpx.InvalidURL, ValueError) as error:
            raise InputError(
                f"{name}: its address or key cannot be used ({self.hidden(type(error).__name__)})"
            ) from None

    def __repr__(self) -> str:
        return f"Server({self._name!r})"

    def close(self) -> None:
        """Let go of its connections."""
        self.client.close()

    def hang_up(self) -> None:
        """End what is asked now, from another thread: a server may be silent for minutes, and compute all the same."""
        for one in list(self._sockets):
            with suppress(OSError):  # it is closed already
                one.shutdown(socket.SHUT_RDWR)

    def _notice(self, happened: str, about: dict[str, Any]) -> None:
        """Note a connection that was made: https://www.python-httpx.org/advanced/extensions/#trace."""
        if happened.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._sockets.add(about["return_value"].get_extra_info("socket"))

    def hidden(self, text: str) -> str:
        """A text without the key."""
        return text.replace(self._secret, "***") if self._secret else text

    def ask(self, method: str, path: str, *, seconds: float | None = None, **request: Any) -> Any:
        """The answer to one request, which is not a stream.

        Raises:
            InputError: the server cannot be reached, or refuses.
        """
        traced = {"extensions": {"trace": self._notice}, **({"timeout": seconds} if seconds else {})}
        with self._faults():
            response = self.client.request(method, path, **traced, **request)
            self._check(response)
            return response

    def listed(self, path: str) -> Any:
        """A JSON answer that a page waits for.

        Raises:
            InputError: as above.
        """
        return self.ask("GET", path, seconds=_LIST_SECONDS).json()

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The events of a streamed answer, as JSON objects.

        Format: https://html.spec.whatwg.org/multipage/server-sent-events.html; `[DONE]` ends OpenAI's.

        Raises:
            InputError: as above; also where it breaks off, or is none.
        """
        traced = {"trace": self._notice}
        with self._faults(), self.client.stream("POST", path, json=body, extensions=traced) as response:
            if response.status_code != 200:
                response.read()
            self._check(response)
            if response.headers.get("content-type", "").startswith("application/json"):  # it does not stream
                response.read()
                yield self._event(response.text)
                return
            for line in _lines(response.iter_text()):
                if not line.startswith("data:"):
                    continue
                text = line[5:].strip()
                if text == "[DONE]":
                    return
                yield self._event(text)

    def refused(self, message: str) -> InputError:
        """The error for what the server said."""
        line = " ".join(self.hidden(message).split())
        return InputError(f"{self._name}: {line[:_MOST_SAID] or 'it says nothing'}")

    def _event(self, text: str) -> dict[str, Any]:
        try:
            event = json.loads(text) if len(text) <= _LONGEST_LINE else None
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise self.refused("its answer cannot be read; a stream of JSON objects was expected")
        if "error" in event:
            raise self.refused(_message(event) or "it broke off with an error")
        return event

    def _check(self, response: Any) -> None:
        if response.is_success:
            return
        try:
            said = _message(response.json())
        except ValueError:
            said = ""
        hint = _HINTS.get(response.status_code, "")
        error = self.refused(
            f"it answers {response.status_code} {response.reason_phrase}{': ' + said if said else ''}{hint}"
        )
        raise RefusedError(str(error), response.status_code)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        httpx = import_httpx()
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise self.refused(
                f"cannot be reached, or broke off ({type(error).__name__}: {error}); an answer was expected; "
                "see that it runs, and that its address is right"
            ) from None  # the error holds the request with its key


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """The lines of a stream; LF and CR end one, and none of the others that Python knows, which stand in texts."""
    rest = ""
    for text in texts:
        *lines, rest = _LINE_END.split(rest + text)
        yield from lines
        if len(rest) > _LONGEST_LINE:
            break
    yield rest


class RefusedError(InputError):
    """A server refused a request."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


_HINTS = {
    401: "; a valid key was expected; set it in the environment",
    403: "; a key with this right was expected; check it",
    404: "; check the model's name and the address",
    429: "; it has too much to do, or your quota is used up; try later",
}


def _message(answer: Any) -> str:
    """What a server says is wrong: `{"error": {"message": ...}}`, in a list or not, or `{"detail"|"message": ...}`."""
    if isinstance(answer, list) and answer:
        answer = answer[0]
    if not isinstance(answer, dict):
        return ""
    error = answer.get("error", answer)
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return error if isinstance(error, str) else json.dumps(error)


def import_httpx() -> Any:
    """The package.

    Raises:
        DependencyError: it is not installed.
    """
    try:
        import httpx
    except ImportError as error:
        raise missing_extra("httpx", "studio") from error
    return httpx


def jpeg_base64(frame: Pixels) -> str:
    """A frame as a JPEG in base64."""
    return base64.b64encode(encode_jpeg(frame, quality=_QUALITY)).decode("ascii")
