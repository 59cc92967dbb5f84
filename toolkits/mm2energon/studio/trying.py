"""Trying: what the routes share by which a model is tried: the desk, and the videos that come from outside."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.errors import ToolkitError
from mm2energon.studio.answers import Refused
from mm2energon.studio.settings import Settings
from mm2energon.videochat.download import DownloadLimits
from mm2energon.videochat.intake import Intake
from mm2energon.videochat.video_cache import CachedVideo, VideoCache

if TYPE_CHECKING:
    from mm2energon.videochat.asking import Question
    from mm2energon.videochat.backends.setup import Setup
    from mm2energon.videochat.queue import Desk

#: Videos from outside may take this share of the cache; frames and previews have the rest.
_CACHE_SHARE = 4


class Trying:
    """The desk and the videos of one studio; all of it may be used from any thread."""

    def __init__(self, settings: Settings, *, desk: Desk | None = None, intake: Intake | None = None) -> None:
        """
        Raises:
            InputError: the cache cannot be written to.
        """
        self._given_desk, self._given_intake = desk, intake
        self._settings = settings
        self._lock = threading.Lock()
        #: (question, adapter) -> the number of the sample that its answer became, while the studio runs.
        self.kept: dict[tuple[str, str | None], int | None] = {}
        self.keeping = threading.Lock()

    @property
    def desk(self) -> Desk:
        """Where questions are asked; opened when it is needed first."""
        from mm2energon.videochat.queue import Desk

        with self._lock:
            if self._given_desk is None:
                history = self._settings.cache / "questions.jsonl"
                self._given_desk = Desk(setup_for(self._settings), history=history)
            return self._given_desk

    @property
    def intake(self) -> Intake:
        """Where videos come in; opened when it is needed first.

        Raises:
            InputError: the cache cannot be written to.
        """
        with self._lock:
            if self._given_intake is None:
                settings = self._settings
                cache = VideoCache(settings.cache / "videos", most_bytes=settings.max_cache_bytes // _CACHE_SHARE)
                limits = replace(DownloadLimits(), bytes=settings.max_upload_bytes)
                self._given_intake = Intake(cache, downloads=limits)
            return self._given_intake

    def clear_up(self) -> None:
        """Remove, beside all else, what a studio that was killed left in the cache."""

        def work() -> None:
            with suppress(ToolkitError):  # whoever gives a video is told
                _ = self.intake

        threading.Thread(target=work, daemon=True, name="clearing up").start()

    def close(self) -> None:
        """Stop all that is under way."""
        with self._lock:
            intake, desk = self._given_intake, self._given_desk
        if intake is not None:
            intake.close()
        if desk is not None:
            desk.close()

    def video(self, key: str) -> CachedVideo:
        """A video that came in.

        Raises:
            Refused: it is not there (any more).
        """
        found = self.intake.cache.get(key)
        if found is None:
            raise Refused(404, "this video is not there any more; give it again", "no-video")
        return found

    def ask(self, key: str, question: Question) -> str:
        """Ask a question about a video that came in, which stays at least until the question is over; its id.

        Args:
            question: its video is put in here.

        Raises:
            Refused: the video is not there (any more).
            InputError: the desk does not take the question.
        """
        held = ExitStack()
        try:
            video = held.enter_context(self.intake.cache.use(self.video(key).key))
            asked = replace(question, video=video.path, video_name=video.name)
            name = self.desk.ask(asked)
        except BaseException:
            held.close()
            raise
        threading.Thread(target=self._let_go, args=(name, held), daemon=True, name=f"video of {name}").start()
        return name

    def _let_go(self, name: str, held: ExitStack) -> None:
        """Wait until a question is over."""
        with held:
            for _ in self.desk.events(name):
                pass


def setup_for(settings: Settings) -> Setup:
    """What the back ends are given."""
    return replace(settings.backends, adapters=adapters_folder(settings))


def adapters_folder(settings: Settings) -> Path | None:
    """Where adapters are found, and trained: where `mm2energon finetune` puts them, unless it is said otherwise."""
    if settings.adapters is not None:
        return settings.adapters
    return settings.output_roots[0] / "lora_adapters" if settings.output_roots else None


def readiness(settings: Settings) -> dict[str, Any]:
    """Whether any model can be asked; if not, what the back ends lack."""
    from mm2energon.videochat.backends import BACKENDS

    setup = setup_for(settings)
    found = [(row.title, row.ready(setup)) for row in BACKENDS.values()]
    if any(ready.ok for _, ready in found):
        return {"ready": True, "message": ""}
    return {"ready": False, "message": "; ".join(f"{title}: {ready.message}" for title, ready in found)}


def video_told(video: CachedVideo) -> dict[str, Any]:
    """A video as a page has it."""
    return {
        "id": video.key,
        "name": video.name,
        "duration": video.duration,
        "width": video.width,
        "height": video.height,
        "fps": video.fps,
        "frames": video.frames,
        "bytes": video.bytes,
        "has_sound": video.has_sound,
        "notes": list(video.notes),
        "url": f"/api/chat/videos/{video.key}",
    }
