"""Convert with media in a store: what entries name is shown by its size, and what comes out of them is put there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import PurePosixPath

from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry
from mm2energon.pipeline.brought import in_advance, names_below, show_video
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.sample import Sample
from mm2energon.video.places import VIDEO_SUFFIXES

#: Entries whose media are asked for at the same time, and after which those are published that stood in entries.
_AT_A_TIME = 256


def entries_shown(entries: Iterable[Entry], mirror: Mirror, how: Reshaping, *, read_as: str | None) -> Iterator[Entry]:
    """Entries, of whose media it is known by their turn which there are; media that stood in them are published.

    Args:
        read_as: the format of the entries; None: each is told by its keys.

    Raises:
        OSError: the store does not say, or does not take them.
    """

    def show(some: list[Entry], _keep: int) -> int:
        _show([sample for entry in some if (sample := _sample(entry, read_as))], mirror, how)
        return 0

    for number, entry in enumerate(in_advance(entries, show, at_a_time=_AT_A_TIME), 1):
        yield entry
        if number % _AT_A_TIME == 0:
            _publish(mirror, how)
    _publish(mirror, how)  # before the output that names them


def _sample(entry: Entry, read_as: str | None) -> Sample | None:
    """What an entry says; None where it says nothing, which is told where it is converted."""
    if entry.error is not None:
        return None
    try:
        name = read_as or formats.detect(entry.value, origin=entry.origin)
        return formats.FORMATS[name].load(entry.value, origin=entry.origin)
    except SampleError:
        return None


def _show(samples: list[Sample], mirror: Mirror, how: Reshaping) -> None:
    videos = [video for sample in samples for video in sample.videos if isinstance(video, str)]
    lists = chain.from_iterable(video for sample in samples for video in sample.videos if not isinstance(video, str))
    for video in names_below(videos, mirror):
        show_video(video, mirror)
        if not mirror.has(video) and PurePosixPath(video).suffix.lower() not in VIDEO_SUFFIXES:  # without its ending
            mirror.show(video)
            mirror.bring([f"{video}.json"])
    images = names_below((path for sample in samples for path in sample.images), mirror)
    if how.joins_frames:
        folders = {image.rpartition("/")[0] for image in images} - {""}
        mirror.bring(f"{folder}.json" for folder in folders if not mirror.has(f"{folder}.json"))
    if how.checks_media:
        others = names_below(chain(lists, *(sample.audios for sample in samples)), mirror)
        for name in (*images, *others):
            if (size := mirror.size_of(name)) is not None:
                mirror.show_file(name, size)


def _publish(mirror: Mirror, how: Reshaping) -> None:
    """Put media that were made into the store, what says something of others last, and keep no copies of them."""
    made = [mirror.name_of(path) for path in sorted(how.media_folder.rglob("*")) if path.is_file()]
    new = [name for name in made if mirror.is_new(name)]
    mirror.publish(name for name in new if not name.endswith(".json"))
    mirror.publish(name for name in new if name.endswith(".json"))
    mirror.forget(new)
