"""A studio in which a model is tried that answers by a script, and videos may come from loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from media import write_clip
from mm2energon.studio import chat
from mm2energon.studio.app import create_app
from mm2energon.studio.trying import Trying
from mm2energon.videochat.backends import BACKENDS, Backend, Ready
from mm2energon.videochat.intake import Intake
from mm2energon.videochat.video_cache import VideoCache

from studio.opened import entry, settings_for, write_entries

MODEL = "script"
#: Pieces of the reply to what is asked, as long as nobody says stop.
Reply = Callable[[Any, Callable[[], bool]], Iterator[str]]


@dataclass
class Scripted:
    """A model whose reply to each question is decided by the test."""

    reply_to: Reply
    is_sound: bool = True
    asked: list[Any] = field(default_factory=list)

    def reply(self, asked: Any, stop: Callable[[], bool]) -> Iterator[str]:
        self.asked.append(asked)
        yield from self.reply_to(asked, stop)

    def forget(self) -> None:
        pass

    def close(self) -> None:
        pass


def install(monkeypatch: pytest.MonkeyPatch, reply_to: Reply, endpoints: Any = ()) -> Scripted:
    """Let studios that are opened from now on have that model, and fetch from these endpoints."""
    model = Scripted(reply_to)
    row = Backend(MODEL, "A script", lambda _: Ready(True), lambda _: ["it"], lambda *_: model, takes_adapters=True)
    monkeypatch.setitem(BACKENDS, MODEL, row)

    def opened(settings: Any) -> Trying:
        cache = VideoCache(settings.cache / "videos", most_bytes=settings.max_cache_bytes)
        return Trying(settings, intake=Intake(cache, allowed=endpoints))

    monkeypatch.setattr(chat, "Trying", opened)
    return model


def write_data(folder: Path) -> Path:
    """A dataset with one clip of 2 s, of 10 frames a second, and an entry that lists frames."""
    folder.mkdir()
    write_clip(folder / "clip.mp4", frames=20, rate=10)
    return write_entries(folder / "d.json", [entry("video", "clip.mp4"), entry("video", "missing.mp4"), entry("image")])


@contextmanager
def listening(data: Path, **more: Any) -> Iterator[str]:
    """The address of a studio that listens, as in life, until the block ends."""
    app = create_app(settings_for(data, **more))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        app.state.studio.is_ending.set()
        server.should_exit = True
        thread.join()
