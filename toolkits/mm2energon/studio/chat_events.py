"""Chat events: what happens to a question, as server-sent events (WHATWG HTML, 9.2).

Each has a number, so that a page whose connection was lost asks for those behind the last that it saw.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator

import anyio

from mm2energon.studio.answers import Json
from mm2energon.videochat.asking import Event

#: Seconds between two looks for events, and of silence after which something is sent, so that nobody hangs up.
_PAUSE_SECONDS = 0.05
_SILENCE_SECONDS = 15.0


async def as_events(events: Iterator[Event | None], is_ending: threading.Event) -> AsyncIterator[bytes]:
    """The events as they come, up to the last, or until the studio ends.

    Args:
        events: gives None where nothing has come yet, without waiting.
    """
    yield b": the events of a question\n\n"
    said = time.monotonic()
    for event in events:
        if event is not None:
            yield encoded(event)
            said = time.monotonic()
            continue
        if is_ending.is_set():
            return
        if time.monotonic() - said >= _SILENCE_SECONDS:
            yield b": still here\n\n"
            said = time.monotonic()
        await anyio.sleep(_PAUSE_SECONDS)


def encoded(event: Event) -> bytes:
    """One event; JSON has no line breaks but those that it escapes."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.number, event.kind.encode(), bytes(Json(event.data).body))
