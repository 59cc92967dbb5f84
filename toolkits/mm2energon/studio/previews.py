"""Previews: copies of videos that browsers do not play, made when one is looked at, and kept in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from mm2energon.errors import InputError, MediaError
from mm2energon.pipeline.loop import Limits
from mm2energon.roots import open_regular
from mm2energon.storage import remove_leftovers, write_whole
from mm2energon.studio import media
from mm2energon.studio.answers import Refused
from mm2energon.studio.isolated import Isolated
from mm2energon.studio.media import Number
from mm2energon.studio.sending import ANSWERS, Sent, file_tag, send
from mm2energon.studio.state import State

#: A copy is made small and soon, for looking at.
_PIXELS, _FPS = 1280 * 720, 30.0
_SECONDS, _MEMORY_BYTES = 900.0, 6 << 30


@dataclass(frozen=True)
class Copy:
    """A video, and where its copy goes."""

    source: Path
    target: Path
    name: str

    def __str__(self) -> str:
        return self.name


def make_copy(copy: Copy) -> None:
    """Make the copy; it runs in a worker.

    Raises:
        MediaError: nothing of the video can be decoded, or it is too long.
    """
    from mm2energon.videochat.apart import Note
    from mm2energon.videochat.sanitise import CopyLimits, Sanitising, sanitise

    limits = CopyLimits(pixels=_PIXELS, fps=_FPS)
    copy.target.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(copy.target) as file:
        try:
            sanitise(Sanitising(copy.source, Path(file.name), copy.name, limits, Note(Path(os.devnull))))
        except InputError as error:
            raise MediaError(str(error), "unreadable-video") from error


def router(state: State) -> APIRouter:
    """The route of copies."""
    routes = APIRouter(prefix="/api/items/{number}/preview")
    isolated = Isolated(1, Limits(_SECONDS, _MEMORY_BYTES))
    state.ends.callback(isolated.close)
    folder, most_bytes = state.settings.cache / "previews", state.settings.max_cache_bytes // 4

    @routes.head("/{index}", include_in_schema=False)
    @routes.get("/{index}", response_class=Response, responses=ANSWERS)
    async def preview(request: Request, number: Number, index: Number) -> Response:
        found = await anyio.to_thread.run_sync(media.find, state, number, "video", index)
        if found.path is None:
            raise Refused(404, "a video of a shard is frames; ask for these")
        copy = await anyio.to_thread.run_sync(_copy_of, found.path, found.name, folder)
        if not copy.target.is_file():
            await isolated.answer(request, make_copy, copy, key=copy.target)
            await anyio.to_thread.run_sync(sweep, folder, most_bytes)
        return send(request, await anyio.to_thread.run_sync(_opened, copy))

    return routes


def _copy_of(source: Path, name: str, folder: Path) -> Copy:
    facts = source.stat()
    about = f"{source}\0{facts.st_size}\0{facts.st_mtime_ns}\0{_PIXELS}\0{_FPS}".encode("utf-8", "surrogateescape")
    return Copy(source, folder / f"{hashlib.sha256(about).hexdigest()[:32]}.mp4", name)


def _opened(copy: Copy) -> Sent:
    file = open_regular(copy.target)
    size = file.seek(0, os.SEEK_END)
    return Sent(file, size, "video/mp4", file_tag(file), f"{Path(copy.name).stem}.mp4")


def sweep(folder: Path, most_bytes: int) -> None:
    """Remove the copies that were made longest ago, until the folder holds no more than that."""
    copies = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in folder.glob("*.mp4"))
    held = sum(size for _, size, _ in copies)
    for _, size, path in copies[:-1]:  # never the one that was just made
        if held <= most_bytes:
            break
        held -= size
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        remove_leftovers(folder)
