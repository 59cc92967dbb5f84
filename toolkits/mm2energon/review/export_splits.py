"""Splits of what is exported, dealt as `shard` deals them: samples that share a medium stay together.

The names by which samples are joined, and hashed, are those of `shard`, which knows a video by its first frame: the
same samples go to the same splits there and here. A copy of a file goes by the name of the one that stands for it, for
`shard`, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.pipeline.prepare import content_name
from mm2energon.pipeline.splits import SPLITS, Groups, assign
from mm2energon.review.export_media import FoundMedia, first_frame_of
from mm2energon.review.export_select import Selection
from mm2energon.sample import Sample
from mm2energon.video.places import frame_name, frame_places

if TYPE_CHECKING:
    from numpy.typing import NDArray


def deal(
    selection: Selection, shares: Mapping[str, float], *, seed: int, without: Collection[int] = ()
) -> NDArray[Any]:
    """The split of each sample that can be exported, in order, as its place in SPLITS.

    Args:
        without: numbers, among these samples, of those that are passed over.
    """
    groups = Groups(seed=seed)
    usable = (one.sample for one in selection if one.sample is not None and one.error is None)
    for number, sample in enumerate(usable):
        if number not in without:
            groups.add(list(_shared(sample, selection.media)) or [content_name(sample)])
    groups.flush()
    return assign(groups, {split: shares.get(split, 0.0) for split in SPLITS})


def count_moved(
    selection: Selection, split_of: NDArray[Any], shares: Mapping[str, float], *, seed: int, without: Collection[int]
) -> int:
    """How many samples are in another split when some are left out before they are dealt.

    Args:
        split_of: as they were dealt with these.
        without: as of `deal`.
    """
    import numpy as np

    if not without:
        return 0
    others = np.delete(split_of, sorted(without))
    return int((deal(selection, shares, seed=seed, without=without) != others).sum()) if len(others) else 0


def as_dealt(sample: Sample, media: FoundMedia) -> Sample:
    """A sample as `shard` is to see it: a copy of a file goes by the name of the one that stands for it."""
    if not media.copies:
        return sample

    def first(written: str) -> str:
        return media.copies.get(media.names[written], written)

    videos = tuple(first(video) if isinstance(video, str) else video for video in sample.videos)
    return replace(sample, images=tuple(map(first, sample.images)), videos=videos)


def _shared(sample: Sample, media: FoundMedia) -> Iterator[str]:
    """The strings by which a sample is joined to others, as `prepare.group_names` has them of shards."""

    def first(written: str) -> str:
        name = media.names[written]
        return media.copies.get(name, name)

    yield from map(first, sample.images)
    for video in sample.videos:
        if isinstance(video, tuple):
            yield from (media.names[frame] for frame in video)
        else:
            yield _first_frame(media.root, first(video))
    yield from (media.names[audio] for audio in sample.audios)
    if sample.recording is not None:
        yield f"recording:{sample.recording}"


def _first_frame(root: Path, video: str) -> str:
    """What `shard` knows a video by: its first frame where frames lie beside it, or where they will be."""
    default, own = frame_places(Path(video))
    return first_frame_of(root, video) or f"{(default or own).folder.as_posix()}/{frame_name(1, 1)}"
