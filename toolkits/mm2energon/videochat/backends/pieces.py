"""Pieces: a reply that is made on a thread of its own, handed over as it comes, and left alone once it is unwanted."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

from mm2energon.videochat.frames import Unwanted
from mm2energon.videochat.perception import Stop

#: Seconds between two looks at whether a reply is still wanted.
_PAUSE = 0.05


class _End:
    """Nothing follows; what ended it, where that was an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def from_thread(
    work: Callable[[Callable[[str], None], Stop], None],
    stop: Stop,
    *,
    wait_seconds: float = 0.0,
    leave: Callable[[], None] = lambda: None,
) -> Iterator[str]:
    """The pieces that `work` hands over, as they come.

    Args:
        work: is called on a thread with a function that takes a piece, and one that says whether to stop.
        wait_seconds: how long it is waited for once it is unwanted.
        leave: is called once it is unwanted, to end what the thread waits for.

    Raises:
        Unwanted: it was stopped; the thread ends when it notices.
        Exception: what `work` raised.
    """
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    left = threading.Event()

    def unwanted() -> bool:
        return left.is_set() or stop()

    def run() -> None:
        try:
            work(told.put, unwanted)
        except BaseException as error:  # noqa: BLE001 (whatever it is, it is raised where it is waited for)
            told.put(_End(error))
        else:
            told.put(_End())

    thread = threading.Thread(target=run, daemon=True, name="reply")
    thread.start()
    try:
        yield from _heard(told, stop)
    except (Unwanted, GeneratorExit):
        leave()
        raise
    finally:
        left.set()
        thread.join(wait_seconds)


def _heard(told: queue.SimpleQueue[Any], stop: Stop) -> Iterator[str]:
    while True:
        if stop():
            raise Unwanted
        try:
            piece = told.get(timeout=_PAUSE)
        except queue.Empty:
            continue
        if not isinstance(piece, _End):
            yield piece
        elif piece.error is not None:
            raise piece.error
        else:
            return
