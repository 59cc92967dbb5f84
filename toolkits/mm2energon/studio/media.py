"""Media: the images, videos and sounds of an entry, by its number: nobody ever asks for a path."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Request
from fastapi import Path as InPath
from starlette.responses import Response

from mm2energon.errors import MediaError, SampleError
from mm2energon.pipeline.convert_media import as_it_lies
from mm2energon.pipeline.record_content import digest
from mm2energon.roots import media_file, open_inside, open_regular
from mm2energon.sample import Video
from mm2energon.studio.answers import Refused
from mm2energon.studio.kinds import HEAD_BYTES, UNKNOWN, Kind, Medium, kind_of
from mm2energon.studio.sending import ANSWERS, Sent, file_tag, send, send_bytes
from mm2energon.studio.showing import Picture, as_shown
from mm2energon.studio.state import State
from mm2energon.terminal import shown

if TYPE_CHECKING:
    from mm2energon.review.model import Item

#: What can be asked for: entries and media by number.
Number = Annotated[int, InPath(ge=0, le=2**31 - 1)]
#: Bytes of pictures that were made anew, and are kept for when they are asked for again.
_KEPT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A medium: a file, or bytes of a shard."""

    kind: Medium
    name: str
    path: Path | None = None
    data: bytes = b""


def router(state: State) -> APIRouter:
    """The routes of media."""
    routes, kept = APIRouter(prefix="/api/items/{number}/media"), _Kept()

    @routes.head("/{kind}/{index}", include_in_schema=False)
    @routes.get("/{kind}/{index}", response_class=Response, responses=ANSWERS)
    async def medium(request: Request, number: Number, kind: Medium, index: Number) -> Response:
        found = await anyio.to_thread.run_sync(find, state, number, kind, index)
        sent = await anyio.to_thread.run_sync(_sent, found, [state.root, *state.settings.further])
        if kind != "image" or sent.content_type != UNKNOWN:
            return send(request, sent)
        sent.file.close()
        picture = kept.get(sent.tag)
        if picture is None:
            picture = await state.isolated.answer(request, as_shown, Picture(found.name, found.path, found.data))
            kept.put(sent.tag, picture)
        return send_bytes(request, *picture, sent.tag, name=Path(found.name).name)

    return routes


def find(state: State, number: int, kind: Medium, index: int) -> Found:
    """A medium of an entry.

    Raises:
        Refused: there is none of that number, or it is no file.
        MediaError: the file is missing, or outside of the roots.
    """
    item = state.item(number)
    if state.is_record(item):
        return _of_record(state, number, kind, index)
    media = _names(item)[kind]
    if index >= len(media):
        raise Refused(404, f"{item.origin} has {len(media)} media of that kind")
    name = media[index]
    if not isinstance(name, str):
        raise Refused(404, f"{item.origin}: this video is a list of frames; ask for these")
    lies = lying(state, item, name) if kind == "video" else name
    if not isinstance(lies, str):
        raise Refused(404, f"{item.origin}: this video is a folder of frames; ask for these")
    return Found(kind, lies, media_file(state.root, lies, origin=item.origin, further=state.settings.further))


def lying(state: State, item: Item, video: str) -> Video:
    """A video as it lies on the disk, whose entry may leave its ending out, or name a folder of pictures.

    Raises:
        MediaError: there is nothing of that name, or it is outside of the roots.
    """
    return as_it_lies(video, state.root, origin=item.origin, further=state.settings.further)


def _of_record(state: State, number: int, kind: Medium, index: int) -> Found:
    content = state.content(number)
    media = {"image": content.images, "video": [], "audio": content.audios}[kind]
    if index >= len(media):
        raise Refused(404, "there is no such medium in the record; videos of shards are frames")
    return Found(kind, f"{kind}{index}", data=media[index])


def _names(item: Item) -> dict[Medium, tuple[Any, ...]]:
    sample = item.sample
    if sample is None:
        return {"image": (), "video": (), "audio": ()}
    return {"image": sample.images, "video": sample.videos, "audio": sample.audios}


def _sent(found: Found, roots: Sequence[Path]) -> Sent:
    """A medium as it is sent; what is nothing that we know is saved by the browser, never shown."""
    if found.path is None:
        kind = kind_of(found.data[:HEAD_BYTES], found.kind, BytesIO(found.data))
        tag, size = digest([found.data]).hex(), len(found.data)
        return Sent(BytesIO(found.data), size, kind.content_type, tag, found.name, kind.content_type == UNKNOWN)
    try:
        file = open_inside(found.path, roots)
    except OSError as error:
        raise MediaError(f"{found.name}: cannot be read ({error.strerror})", "missing-media") from error
    kind = kind_of(file.read(HEAD_BYTES), found.kind, file)
    size, name = file.seek(0, 2), Path(found.name).name
    return Sent(file, size, kind.content_type, file_tag(file), name, kind.content_type == UNKNOWN)


def told(state: State, item: Item) -> list[dict[str, Any]]:
    """The media of an entry, and what can be asked of each."""
    if state.is_record(item):
        return _told_of_record(state, item)
    return [
        _told(state, item, kind, index, name)
        for kind, media in _names(item).items()
        for index, name in enumerate(media)
    ]


def _told(state: State, item: Item, kind: Medium, index: int, name: Any) -> dict[str, Any]:
    base = f"/api/items/{item.number}"
    frames = {"frames_url": f"{base}/frames/{index}"} if kind == "video" else {}
    about = {"kind": kind, "index": index, "exists": True, "error": None, "playable": True, "message": ""}
    if not isinstance(name, str):
        paths = ", ".join(map(str, name[:1]))
        about |= {"playable": False, "message": "a list of frames"}
        return {**about, "name": f"{shown(paths)} and {len(name) - 1} more", "url": None, **frames}
    about |= {"name": shown(name), "url": f"{base}/media/{kind}/{index}", **frames}
    try:
        lies = lying(state, item, name) if kind == "video" else name
        if not isinstance(lies, str):
            return about | {"url": None, "playable": False, "message": "a folder of frames"}
        playable = _kind(media_file(state.root, lies, origin=item.origin, further=state.settings.further), kind)
    except (MediaError, OSError) as error:
        return {
            **about,
            "exists": False,
            "url": None,
            "error": {"code": getattr(error, "code", ""), "message": str(error)},
        }
    if kind == "video" and not playable.plays:  # a copy is made when it is asked for
        about |= {"url": f"{base}/preview/{index}", "original_url": about["url"], "message": playable.why}
    about |= {"playable": playable.plays or kind == "image"}
    return about


def _told_of_record(state: State, item: Item) -> list[dict[str, Any]]:
    """The media of a record; of one that cannot be read the first says why."""
    base = f"/api/items/{item.number}"
    try:
        content = state.content(item.number)
    except SampleError as error:
        fault = {"code": error.code, "message": str(error)}
        broken = {"kind": "image", "index": 0, "name": item.origin, "url": None, "exists": False, "error": fault}
        return [{**broken, "playable": False, "message": ""}]
    told = []
    kinds: dict[Medium, int] = {
        "image": len(content.images),
        "video": len(content.videos),
        "audio": len(content.audios),
    }
    for kind, count in kinds.items():
        for index in range(count):
            about: dict[str, Any] = {"kind": kind, "index": index, "name": f"{kind} {index + 1}", "exists": True}
            about |= {"error": None, "playable": kind != "video", "message": ""}
            if kind == "video":
                about |= {"url": None, "frames_url": f"{base}/frames/{index}", "message": "frames of a shard"}
            else:
                about["url"] = f"{base}/media/{kind}/{index}"
            told.append(about)
    return told


def _kind(path: Path, medium: Medium) -> Kind:
    with open_regular(path) as file:
        return kind_of(file.read(HEAD_BYTES), medium, file)


class _Kept:
    """The last pictures that were made anew."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[str, tuple[bytes, str]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tag: str) -> tuple[bytes, str] | None:
        with self._lock:
            if tag in self._pictures:
                self._pictures.move_to_end(tag)
            return self._pictures.get(tag)

    def put(self, tag: str, picture: tuple[bytes, str]) -> None:
        with self._lock:
            self._pictures[tag] = picture
            while sum(len(data) for data, _ in self._pictures.values()) > _KEPT_BYTES and len(self._pictures) > 1:
                self._pictures.popitem(last=False)
