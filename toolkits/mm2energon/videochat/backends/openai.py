"""A server with OpenAI's interface: vLLM, SGLang, llama.cpp, OpenAI itself and others.

`POST /chat/completions` with streaming and `GET /models`: https://platform.openai.com/docs/api-reference/chat. Frames
are images, each behind its time; or, as vLLM takes them, one video of JPEG files with their times
(https://docs.vllm.ai/en/latest/features/multimodal_inputs: `video_url`, `media_io_kwargs`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from mm2energon.errors import InputError
from mm2energon.videochat.asking import Parameters
from mm2energon.videochat.backends.calls import FRAME_SIZE, RefusedError, Server, jpeg_base64
from mm2energon.videochat.backends.deltas import BrokenOffError, pieces
from mm2energon.videochat.backends.pieces import from_thread
from mm2energon.videochat.backends.ready import Ready, missing_package
from mm2energon.videochat.backends.setup import Setup
from mm2energon.videochat.perception import Asked, Stop
from mm2energon.videochat.prompts import tell_time, tell_times

_OPENAI = "https://api.openai.com/v1"
#: Seconds for which a list of models is believed.
_FRESH_SECONDS = 30.0
#: Ticks a second in which vLLM is told the places of frames: its times are place / fps.
_TICKS = 1000
#: What some servers do not know -> what is said instead.
_OTHERWISE = {
    "max_tokens": "max_completion_tokens",
    "repetition_penalty": None,
    "top_p": None,
    "temperature": None,
    "media_io_kwargs": None,
}
_listed: dict[tuple[str, str | None], tuple[float, list[str], str]] = {}


def address(setup: Setup) -> str | None:
    """Where the server is: as given, else OPENAI_BASE_URL, else OpenAI's own where there is a key."""
    given = setup.openai_address or os.environ.get("OPENAI_BASE_URL")
    return given or (_OPENAI if _key(setup) else None)


def ready(setup: Setup) -> Ready:
    """Whether an address is known, and the server answers."""
    if (lacking := missing_package(("httpx",), "studio")) is not None:
        return lacking
    place = address(setup)
    if place is None:
        return Ready(
            False,
            "no server is known; start the studio with --openai-url (http://127.0.0.1:8001/v1), or with "
            "OPENAI_BASE_URL in the environment, and, where it wants one, with OPENAI_API_KEY",
        )
    names, message = _models(setup)
    if not names and not message:
        return Ready(True, "it lists no models; name the one to ask")
    return Ready(not message, message)


def models(setup: Setup) -> list[str]:
    """What the server offers; nothing where it does not answer."""
    return _models(setup)[0]


def open_model(name: str, setup: Setup, tell: Callable[[str], None]) -> OpenaiChat:
    """A line to the server.

    Raises:
        InputError: no server is known.
        DependencyError: httpx is missing.
    """
    tell(f"asking {name}")
    return OpenaiChat(name, _server(setup), is_openai=_is_openai(setup), as_video=_as_video(setup))


class OpenaiChat:
    """A model behind the interface."""

    #: A server is as good the next time.
    is_sound = True

    def __init__(self, name: str, server: Server, *, is_openai: bool, as_video: bool) -> None:
        self._name, self._server, self._as_video = name, server, as_video
        #: What this server does not know.
        self._unknown: set[str] = {"max_tokens", "repetition_penalty"} if is_openai else set()

    def reply(self, asked: Asked, stop: Stop) -> Iterator[str]:
        """The reply to one round, piece by piece.

        Raises:
            InputError: the server cannot be reached, or refuses.
            Unwanted: it was stopped.
        """
        body = {"model": self._name, "stream": True, **_media(asked, as_video=self._as_video)}
        body |= _settings(asked.parameters)
        yield from from_thread(lambda take, left: self._read(body, take, left), stop, leave=self._server.hang_up)

    def forget(self) -> None:
        """The server keeps nothing for us."""

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()

    def _read(self, body: dict[str, Any], take: Callable[[str], None], stop: Stop) -> None:
        while True:
            try:
                self._take(self._server.stream("chat/completions", self.known(body)), take, stop)
                return
            except RefusedError as error:
                if not self._learns(error, body):
                    raise

    def _take(self, events: Iterator[dict[str, Any]], take: Callable[[str], None], stop: Stop) -> None:
        said = False
        try:
            for piece in pieces(events):
                if stop():
                    return
                said = True
                take(piece)
        except BrokenOffError as error:
            raise self._server.refused(f"it broke off its answer ({error})") from None
        if not said and not stop():
            raise self._server.refused("it gave no text; raise the new tokens, or see what it says in its log")

    def known(self, body: dict[str, Any]) -> dict[str, Any]:
        """The request, as this server takes it."""
        said = {name: value for name, value in body.items() if name not in self._unknown}
        for name in self._unknown & body.keys():
            if (other := _OTHERWISE[name]) is not None:
                said[other] = body[name]
        return said

    def _learns(self, error: RefusedError, body: dict[str, Any]) -> bool:
        """Whether it was refused for something that can be left out or said otherwise."""
        if error.status not in (400, 422):
            return False
        new = {name for name in _OTHERWISE if name in str(error) and name in body} - self._unknown
        self._unknown |= new
        return bool(new)


def _settings(parameters: Parameters) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "max_tokens": parameters.max_new_tokens,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
    }
    if parameters.repetition_penalty != 1:  # none of OpenAI's, but many servers know it
        settings["repetition_penalty"] = parameters.repetition_penalty
    return settings


def _media(asked: Asked, *, as_video: bool) -> dict[str, Any]:
    """The message, with the frames in it, and what is said of them beside it."""
    frames = [jpeg_base64(frame) for frame in asked.frames(FRAME_SIZE)]
    times = asked.look.times
    about = tell_times(times, duration=asked.duration)
    content: list[dict[str, Any]] = []
    if as_video:
        content.append({"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{','.join(frames)}"}})
    else:
        for seconds, frame in zip(times, frames, strict=True):
            content.append({"type": "text", "text": f"[{tell_time(seconds)} s]"})
            content.append({"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{frame}"}})
    content.append({"type": "text", "text": f"{about}\n{asked.prompt}"})
    body: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
    if as_video:
        body["media_io_kwargs"] = {"video": _places(asked)}
    return body


def _places(asked: Asked) -> dict[str, Any]:
    """The times of frames, as places in a video of many frames a second."""
    return {
        "fps": _TICKS,
        "frames_indices": [round(seconds * _TICKS) for seconds in asked.look.times],
        "total_num_frames": max(1, round(asked.duration * _TICKS)),
        "duration": asked.duration,
        "do_sample_frames": False,
    }


def forget_models() -> None:
    """Ask the servers anew for their models."""
    _listed.clear()


def _models(setup: Setup) -> tuple[list[str], str]:
    """The server's models, and what is wrong; asked now and then."""
    place = address(setup)
    if place is None:
        return [], ""
    key = (place, _key(setup))
    asked, names, message = _listed.get(key, (-_FRESH_SECONDS, [], ""))
    if time.monotonic() - asked < _FRESH_SECONDS and key in _listed:
        return names, message
    names, message = _ask_models(setup)
    _listed[key] = (time.monotonic(), names, message)
    return names, message


def _ask_models(setup: Setup) -> tuple[list[str], str]:
    server = None
    try:
        server = _server(setup)
        rows = server.listed("models")["data"]
        return [row["id"] for row in rows if isinstance(row["id"], str)], ""
    except RefusedError as error:  # some servers answer questions and list nothing
        return [], "" if error.status in (404, 405, 501) else str(error)
    except InputError as error:
        return [], str(error)
    except (KeyError, TypeError, ValueError):
        return [], "the server's list of models cannot be read; see that its address ends with /v1"
    finally:
        if server is not None:
            server.close()


def _server(setup: Setup) -> Server:
    place = address(setup)
    if place is None:
        raise InputError(ready(setup).message)
    if not place.startswith(("http://", "https://")):
        raise InputError(
            "--openai-url or OPENAI_BASE_URL: its scheme is unknown; http://... or https://... was expected; change it"
        )
    key = _key(setup)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return Server("the OpenAI-compatible server", place, headers, secret=key)


def _as_video(setup: Setup) -> bool:
    return os.environ.get("OPENAI_VIDEO") == "1" if setup.openai_video is None else setup.openai_video


def _is_openai(setup: Setup) -> bool:
    return (address(setup) or "").startswith(_OPENAI.removesuffix("v1"))


def _key(setup: Setup) -> str | None:
    return setup.openai_key or os.environ.get("OPENAI_API_KEY") or None
