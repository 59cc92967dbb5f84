"""Gemini, by Google's REST interface: https://ai.google.dev/api, its key from GEMINI_API_KEY of the environment alone.

The model gets the video itself, with its sound and Gemini's own time stamps: in the request where that stays below
20 MB, else by the Files API, once for all rounds. `videoMetadata.fps` says how densely Gemini looks at it. What a round
looks at more closely goes along as frames, each behind its time.
"""

from __future__ import annotations

import base64
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.videochat.asking import Parameters
from mm2energon.videochat.backends.calls import FRAME_SIZE, Server, jpeg_base64
from mm2energon.videochat.backends.pieces import from_thread
from mm2energon.videochat.backends.ready import Ready, missing_package
from mm2energon.videochat.backends.setup import Setup
from mm2energon.videochat.frames import Unwanted
from mm2energon.videochat.perception import Asked, Stop
from mm2energon.videochat.prompts import tell_time

USUAL_MODEL = "gemini-flash-latest"
_ADDRESS = "https://generativelanguage.googleapis.com"
_KEY = "GEMINI_API_KEY"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
#: Bytes of a video that goes into the request: 20 MB are allowed, base64 makes 4 of 3, and there are frames beside it.
INLINE_BYTES = 10_000_000
#: Gemini's greatest rate.
_MOST_FPS = 24.0
#: Seconds that Google may take to read an uploaded video, and between two looks at it.
_READING_SECONDS, PAUSE_SECONDS = 300.0, 1.0
_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".avi": "video/avi",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".flv": "video/x-flv",
    ".wmv": "video/wmv",
    ".3gp": "video/3gpp",
}


def ready(setup: Setup) -> Ready:
    """Whether there is a key; nobody is asked."""
    if (lacking := missing_package(("httpx",), "studio")) is not None:
        return lacking
    if not os.environ.get(_KEY):
        return Ready(False, f"no key; set {_KEY} before the studio is started (https://aistudio.google.com/apikey)")
    return Ready(True)


def models(setup: Setup) -> list[str]:
    """The usual one; others may be named."""
    return [USUAL_MODEL]


def open_model(name: str, setup: Setup, tell: Callable[[str], None]) -> GeminiChat:
    """A line to Google.

    Raises:
        InputError: there is no key.
        DependencyError: httpx is missing.
    """
    key = os.environ.get(_KEY)
    if not key:
        raise InputError(ready(setup).message)
    name = name.removeprefix("models/")
    if not _NAME.fullmatch(name):
        raise InputError(f"model {name}: is no name of Gemini's; expected one such as {USUAL_MODEL}; give another")
    tell(f"asking {name}")
    server = Server("Gemini", setup.gemini_address or _ADDRESS, {"x-goog-api-key": key}, secret=key)
    return GeminiChat(name, server)


class GeminiChat:
    """A model of Gemini's, and the file that was uploaded for it."""

    #: A server is as good the next time.
    is_sound = True

    def __init__(self, name: str, server: Server) -> None:
        self._name, self._server = name, server
        #: (path, name at Google's, URI) of the video that was uploaded last.
        self._file: tuple[Path, str, str] | None = None

    def reply(self, asked: Asked, stop: Stop) -> Iterator[str]:
        """The reply to one round, piece by piece.

        Raises:
            InputError: Google cannot be reached, or refuses.
            Unwanted: it was stopped.
        """
        parts = [*_frames(asked), {"text": asked.prompt}]
        yield from from_thread(
            lambda take, left: self._read(asked, parts, take, left), stop, leave=self._server.hang_up
        )

    def forget(self) -> None:
        """Remove the video from Google's, who would keep it for two days."""
        if self._file is None:
            return
        _, name, _ = self._file
        self._file = None
        try:
            self._server.ask("DELETE", f"v1beta/{name}", seconds=10.0)
        except InputError:
            return

    def close(self) -> None:
        """Let go of all."""
        self.forget()
        self._server.close()

    def _read(self, asked: Asked, parts: list[dict[str, Any]], take: Callable[[str], None], stop: Stop) -> None:
        video = {**self._video(asked.video, stop), "videoMetadata": {"fps": _rate(asked)}}
        body = {
            "contents": [{"role": "user", "parts": [video, *parts]}],
            "generationConfig": _settings(asked.parameters),
        }
        said = False
        for event in self._server.stream(f"v1beta/models/{self._name}:streamGenerateContent?alt=sse", body):
            if stop():
                return
            for piece in self._pieces(event):
                said = True
                take(piece)
        if not said:
            raise self._server.refused("it gave no text; lower what is asked for, or raise the new tokens")

    def _pieces(self, event: dict[str, Any]) -> Iterator[str]:
        if (reason := (event.get("promptFeedback") or {}).get("blockReason")) is not None:
            raise self._server.refused(f"it does not answer this question ({reason})")
        for candidate in event.get("candidates") or []:
            for part in (candidate.get("content") or {}).get("parts") or []:
                if part.get("text") and not part.get("thought"):
                    yield part["text"]
            reason = candidate.get("finishReason")
            if reason not in (None, "STOP", "MAX_TOKENS", "FINISH_REASON_UNSPECIFIED"):
                raise self._server.refused(f"it broke off its answer ({reason})")

    def _video(self, video: Path, stop: Stop) -> dict[str, Any]:
        """The part of a request that is the video."""
        kind = _TYPES.get(video.suffix.lower(), "video/mp4")
        if video.stat().st_size <= INLINE_BYTES:
            return {"inlineData": {"mimeType": kind, "data": base64.b64encode(video.read_bytes()).decode("ascii")}}
        if self._file is None or self._file[0] != video:
            self.forget()
            self._upload(video, kind, stop)
        uri = self._file[2] if self._file is not None else ""
        return {"fileData": {"mimeType": kind, "fileUri": uri}}

    def _upload(self, video: Path, kind: str, stop: Stop) -> None:
        """Upload a video by the resumable protocol, in one piece, and wait until Google has read it."""
        size = video.stat().st_size
        begun = self._server.ask(
            "POST",
            "upload/v1beta/files",
            headers={
                "X-Goog-Upload-Protocol": "resumable",
                "X-Goog-Upload-Command": "start",
                "X-Goog-Upload-Header-Content-Length": str(size),
                "X-Goog-Upload-Header-Content-Type": kind,
            },
            json={"file": {"display_name": "video"}},
        )
        place = begun.headers.get("x-goog-upload-url")
        if not place:
            raise self._server.refused("it says no address for the upload; one was expected; try again")
        headers = {
            "X-Goog-Upload-Offset": "0",
            "X-Goog-Upload-Command": "upload, finalize",
            "Content-Length": str(size),
        }
        about = self._server.ask("POST", place, headers=headers, content=_blocks(video, stop)).json().get("file") or {}
        name, uri = about.get("name"), about.get("uri")
        if not name or not uri:
            raise self._server.refused("its answer to the upload cannot be read; the name of a file was expected")
        self._file = (video, name, uri)
        self._await(name, about.get("state"), stop)

    def _await(self, name: str, state: str | None, stop: Stop) -> None:
        until = time.monotonic() + _READING_SECONDS
        while state == "PROCESSING":
            if stop():
                raise Unwanted
            if time.monotonic() > until:
                raise self._server.refused("it takes too long to read the video; try again, or take a shorter one")
            time.sleep(PAUSE_SECONDS)
            state = self._server.ask("GET", f"v1beta/{name}").json().get("state")
        if state == "FAILED":
            raise self._server.refused("it cannot read the video; re-encode it")


def _blocks(video: Path, stop: Stop) -> Iterator[bytes]:
    with video.open("rb") as file:
        while block := file.read(1 << 20):
            if stop():
                raise Unwanted
            yield block


def _rate(asked: Asked) -> float:
    """How densely Gemini is to look at the whole video: with the frames that go along, within the budget."""
    outside = sum(not one for one in asked.look.inside) if not asked.look.is_even else len(asked.look.times)
    return min(_MOST_FPS, max(math.floor(1e4 * outside / max(asked.duration, 1e-3)) / 1e4, 1e-4))


def _frames(asked: Asked) -> list[dict[str, Any]]:
    """What is looked at more closely, each frame behind its time."""
    if asked.look.is_even:
        return []
    parts: list[dict[str, Any]] = [{"text": "Some frames of the video, each with its time:"}]
    for seconds, inside, frame in zip(asked.look.times, asked.look.inside, asked.frames(FRAME_SIZE), strict=True):
        if inside:
            parts.append({"text": f"{_clock(seconds)} ({tell_time(seconds)} s)"})
            parts.append({"inlineData": {"mimeType": "image/jpeg", "data": jpeg_base64(frame)}})
    return parts


def _clock(seconds: float) -> str:
    """MM:SS, as Gemini counts time."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def _settings(parameters: Parameters) -> dict[str, Any]:
    """Gemini knows no repetition penalty."""
    return {
        "maxOutputTokens": parameters.max_new_tokens,
        "temperature": parameters.temperature,
        "topP": parameters.top_p,
    }
