"""Media brought from a store ahead of those who read them: the next ones come while the ones before are worked on."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.planned import PlannedMedia
from mm2energon.pipeline.prepare import Prepared
from mm2energon.roots import is_url
from mm2energon.video.pack import is_packed
from mm2energon.video.places import PICTURE_SUFFIXES, frame_places, is_own, load_sidecar

Item = TypeVar("Item")

#: Items whose media are brought at the same time.
_ENTRIES, _SAMPLES = 256, 64
#: Videos that are asked for at the same time.
_VIDEOS_AT_A_TIME = 16


def entries_brought(entries: Iterable[Entry], mirror: Mirror, *, pictures: bool = True) -> Iterator[Entry]:
    """Entries, whose media are there when it is their turn: pictures as they are, frames of ours as their sizes.

    Args:
        pictures: bring images and audio, too, and not what has to do with videos alone.

    Raises:
        OSError: the store does not give them.
    """
    return in_advance(entries, lambda some, keep: _bring(some, mirror, keep, pictures), at_a_time=_ENTRIES)


def samples_brought(
    samples: Iterable[tuple[int, Any]], mirror: Mirror, *, packs: Path | None = None
) -> Iterator[tuple[int, Any]]:
    """Prepared samples of a plan, whose media are there when it is their turn.

    Args:
        packs: folder of the frames that have no files of their own, and so are not in the store.

    Raises:
        OSError: the store does not give them.
    """

    def bring(some: list[tuple[int, Any]], keep: int) -> int:
        names = {name for _, value in some for name in names_of(Prepared.from_json(value).media)}
        if packs is not None:
            folders = {name.rpartition("/")[0] for name in names}
            packed = {folder for folder in folders if is_packed(packs, folder)}
            names = {name for name in names if name.rpartition("/")[0] not in packed}
        mirror.fetch(names, keep=keep)
        return len(names)

    return in_advance(samples, bring, at_a_time=_SAMPLES)


def names_of(media: PlannedMedia) -> Iterator[str]:
    """The files that planned media are read from."""
    for pictures in (media.images, *(video.frames for video in media.videos)):
        yield from (picture.path for picture in pictures)
    yield from (path for path, _ in media.audios)


def in_advance(items: Iterable[Item], bring: Callable[[list[Item], int], int], *, at_a_time: int) -> Iterator[Item]:
    """The items; the next some of them are brought while the ones before are taken.

    Args:
        bring: brings the files of some items, beside so many of the ones before that have to stay; how many they are.
    """
    items = iter(items)

    def take(before: int) -> tuple[list[Item], int]:
        some = list(islice(items, at_a_time))
        return some, bring(some, before)

    with ThreadPoolExecutor(1) as thread:
        some, count = thread.submit(take, 0).result()
        while some:
            coming = thread.submit(take, count)
            yield from some
            some, count = coming.result()


def _bring(entries: list[Entry], mirror: Mirror, keep: int, with_pictures: bool) -> int:
    """Bring the media that entries name; what cannot be said of them is said where they are prepared."""
    pictures: list[str] = []
    videos: list[str] = []
    for entry in entries:
        try:
            if entry.error is None:
                sample = formats.load(entry.value, origin=entry.origin)
                pictures += [*sample.images, *sample.audios]
                for video in sample.videos:
                    if isinstance(video, str):
                        videos.append(video)
                    else:
                        pictures += video
        except SampleError:
            continue
    names = names_below(pictures, mirror) if with_pictures else []
    mirror.fetch(names, keep=keep)
    return len(names) + bring_videos(names_below(videos, mirror), mirror, keep=keep + len(names))


def bring_videos(videos: Iterable[str], mirror: Mirror, *, keep: int = 0) -> int:
    """Show videos, and their frames as far as there are such; how many files had to be brought for that.

    Raises:
        OSError: the store does not say.
    """
    with ThreadPoolExecutor(_VIDEOS_AT_A_TIME) as threads:
        found = threads.map(lambda video: show_video(video, mirror), videos)
        foreign = [name for names in found for name in names]
    mirror.fetch(foreign, keep=keep)
    return len(foreign)


def show_taken(videos: Iterable[str], mirror: Mirror) -> None:
    """Show all that lies where frames of videos would be, so that their places are chosen as they are elsewhere.

    Raises:
        OSError: the store does not say.
    """

    def show(video: str) -> None:
        for place in frame_places(mirror.folder / video):
            if place is not None:
                mirror.show(mirror.name_of(place.folder))

    with ThreadPoolExecutor(_VIDEOS_AT_A_TIME) as threads:
        for _ in threads.map(show, videos):
            pass


def show_places(video: str, beside: Mapping[str, int], mirror: Mirror) -> None:
    """Show a video, what lies beside it, and all that lies where its frames are, or would be.

    Args:
        beside: as `Mirror.beside` has it; sidecars are found without it.

    Raises:
        OSError: the store does not say.
    """
    for name, size in beside.items():
        mirror.show_file(name, size)
    mirror.bring(sidecars_of(video, mirror))
    show_taken([video], mirror)


def show_video(video: str, mirror: Mirror) -> list[str]:
    """Show a video and its frames; the pictures of which nothing is known, since others made them."""
    beside = mirror.beside(video)
    for name, size in beside.items():
        mirror.show_file(name, size)
    foreign: list[str] = []
    if video not in beside and not PurePosixPath(video).suffix:  # a folder of pictures
        foreign += [name for name in mirror.show(video) if PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES]
    for place in frame_places(mirror.folder / video):
        if place is None:
            continue
        sidecar = mirror.name_of(place.sidecar)
        if sidecar in beside:
            mirror.bring([sidecar])
        elif video in beside:
            continue  # there are no frames
        names = mirror.show(mirror.name_of(place.folder))
        if not is_own(load_sidecar(place.sidecar)):
            foreign += [name for name in names if PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES]
    return foreign


def sidecars_of(video: str, mirror: Mirror) -> list[str]:
    """Where the sidecar of a video may lie."""
    return [mirror.name_of(place.sidecar) for place in frame_places(mirror.folder / video) if place is not None]


def names_below(written: Iterable[str], mirror: Mirror) -> list[str]:
    """What paths of entries are called below the root; those that leave it, or are none, are refused elsewhere."""
    found: dict[str, None] = {}
    for path in written:
        if is_url(path) or "\0" in path:
            continue
        name = posixpath.normpath(posixpath.join(str(mirror.folder), path))
        if name.startswith(f"{mirror.folder}/"):
            found[name[len(str(mirror.folder)) + 1 :]] = None
    return list(found)
