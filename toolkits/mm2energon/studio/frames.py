"""Frames: the routes of the strip that shows what training sees of a video."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from mm2energon.review.model import Item
from mm2energon.roots import inside_root, media_file
from mm2energon.studio import strips
from mm2energon.studio.answers import Json, Refused
from mm2energon.studio.kinds import HEAD_BYTES, UNKNOWN, kind_of
from mm2energon.studio.media import Number, lying
from mm2energon.studio.sending import ANSWERS, send_bytes
from mm2energon.studio.showing import Picture, as_shown
from mm2energon.studio.state import State
from mm2energon.studio.strips import Strip
from mm2energon.targets import target_named
from mm2energon.video.pack import Packs

#: Seconds between frames that can be asked for.
Interval = Annotated[float | None, Query(ge=0.001, le=100_000, allow_inf_nan=False)]
_STRIPS_REMEMBERED = 64
_Key = tuple[int, int, "float | None"]


def router(state: State) -> APIRouter:
    """The routes of frames."""
    routes, known = APIRouter(prefix="/api/items/{number}/frames"), Strips(state)

    @routes.get("/{index}")
    async def frames(
        request: Request, number: Number, index: Number, interval: Interval = None, target: str | None = None
    ) -> Response:
        row = target_named(target or state.settings.target)
        strip = await known.find(request, number, index, interval)
        return Json(_told(strip.for_target(row), number, index, interval or state.settings.interval_seconds, interval))

    @routes.head("/{index}/{frame}", include_in_schema=False)
    @routes.get("/{index}/{frame}", response_class=Response, responses=ANSWERS)
    async def frame(
        request: Request, number: Number, index: Number, frame: Number, interval: Interval = None
    ) -> Response:
        strip = known.remembered((number, index, interval)) or await known.find(request, number, index, interval)
        if frame >= len(strip.times):
            raise Refused(404, f"the video has {len(strip.times)} frames")
        data = await anyio.to_thread.run_sync(known.picture, number, strip, frame)
        content_type = kind_of(data[:HEAD_BYTES], "image").content_type
        tag = hashlib.blake2b(data, digest_size=16).hexdigest()
        if content_type == UNKNOWN:
            data, content_type = await state.isolated.answer(request, as_shown, Picture(f"frame {frame}", None, data))
        return send_bytes(request, data, content_type, tag)

    return routes


class Strips:
    """Finds the frames of videos, and has them decoded where there are none."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: OrderedDict[_Key, Strip] = OrderedDict()
        self._lock = threading.Lock()
        self._frames_of_grid: float | None = None

    async def find(self, request: Request, number: int, index: int, interval: float | None) -> Strip:
        """The frames of a video of an entry.

        Raises:
            Refused: there is no such video.
            MediaError: it cannot be decoded, or lies outside of the roots.
        """
        found = await anyio.to_thread.run_sync(self._there, number, index, interval)
        if not isinstance(found, Strip):
            found = await self._state.decoding.frames(request, *found)
        with self._lock:
            self._known[number, index, interval] = found
            while len(self._known) > _STRIPS_REMEMBERED:
                self._known.popitem(last=False)
        return found

    def remembered(self, key: _Key) -> Strip | None:
        """The frames as they were told a moment ago."""
        with self._lock:
            found = self._known.get(key)
        return None if found is not None and found.pack is not None and not found.pack.exists() else found

    def picture(self, number: int, strip: Strip, frame: int) -> bytes:
        """One encoded frame."""
        origin, further = f"entry {number}", self._state.settings.further
        return strips.picture_of(strip, frame, self._state.root, origin=origin, further=further)

    def _there(self, number: int, index: int, interval: float | None) -> Strip | tuple[Packs, str]:
        """The frames that are there, or what has to be decoded."""
        state, item = self._state, self._state.item(number)
        if state.is_record(item):
            strip = strips.of_record(state.content(number), index, self._grid())
            return strip if strip is not None else _no_video(item)
        videos = () if item.sample is None else item.sample.videos
        if index >= len(videos):
            return _no_video(item)
        video = videos[index]
        if isinstance(video, tuple):
            return strips.listed(video)
        root, origin, further = state.root, item.origin, state.settings.further
        lies = lying(state, item, video)
        name = inside_root(root, lies if isinstance(lies, str) else video, origin=origin, further=further)
        strip = strips.extracted(root, name, interval, origin=origin, further=further)
        if strip is not None:
            return strip
        if isinstance(lies, tuple):
            return strips.listed(lies)
        media_file(root, name, origin=origin, further=further)
        return state.decoding.packs(root, interval or state.settings.interval_seconds), name

    def _grid(self) -> float:
        """`second_per_grid_ts` times the frames a second, as these shards were written."""
        if self._frames_of_grid is None:
            from mm2energon.shards.reader import read_index

            options = read_index(self._state.review.path, takes_older=True).manifest.get("options")
            is_pai = isinstance(options, dict) and options.get("second_per_grid_ts") == "pai"
            self._frames_of_grid = 1.0 if is_pai else 2.0
        return self._frames_of_grid


def _no_video(item: Item) -> Strip:
    raise Refused(404, f"{item.origin}: has no such video")


def _told(strip: Strip, number: int, index: int, interval: float, asked: float | None) -> dict[str, Any]:
    query = "" if asked is None else f"?interval={asked!r}"
    base = f"/api/items/{number}/frames/{index}"
    frames = [
        {"number": place, "time": time, "url": f"{base}/{place}{query}", "width": strip.width, "height": strip.height}
        for place, time in enumerate(strip.times)
    ]
    return {
        "fps": strip.fps,
        "interval": interval if strip.source == "decoded" else round(1 / strip.fps, 6),
        "source": strip.source,
        "frames": frames,
        "message": strip.message,
    }
