"""Samples of finished shards on their way to templates: their media become files below the output."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mm2energon.errors import SampleError
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.pipeline.unshard import grid_of, to_sample
from mm2energon.review.model import Reviewed
from mm2energon.review.review import Review
from mm2energon.roots import media_file, name_from
from mm2energon.sample import Sample
from mm2energon.shards.reader import read_index
from mm2energon.storage import write_whole

#: Folder below the output that the media go to.
MEDIA_FOLDER = "media"


def loader_of(review: Review, output: Path) -> Callable[[Reviewed], Sample]:
    """What makes samples of reviewed records: turns as edited, media as files below `output`."""
    kept = f"{review.kept_path.name}:"
    how = Reshaping(root=output, media_folder=output / MEDIA_FOLDER)
    grid = grid_of(read_index(review.path, takes_older=True).manifest)

    def load(one: Reviewed) -> Sample:
        if one.sample is None:
            raise SampleError(f"{one.origin}: cannot be read", "bad-part")
        if one.origin.startswith(kept):
            return _of_files(one.sample, review.root, output, one.origin)
        try:
            content = review.content(one.number)
        except SampleError as error:
            raise SampleError(f"{one.origin}: {error}", error.code) from error
        sample = to_sample(content, how, frames_in_a_grid=grid, whole_videos=True)
        return replace(sample, turns=one.sample.turns, origin=one.origin)

    return load


def _of_files(sample: Sample, root: Path, output: Path, origin: str) -> Sample:
    """An answer that was kept: its media are files below the root, not of a shard; they are copied.

    Raises:
        MediaError: one is missing, or lies outside.
    """

    def copied(name: str) -> str:
        source = media_file(root, name, origin=origin)
        inside = f"{MEDIA_FOLDER}/{name_from(root, source.resolve())}"
        target = output / inside
        if not (target.is_file() and target.stat().st_size == source.stat().st_size):
            with write_whole(target) as file, source.open("rb") as content:
                shutil.copyfileobj(content, file, 1 << 20)
        return inside

    images, audios = (tuple(map(copied, names)) for names in (sample.images, sample.audios))
    videos = tuple(copied(video) if isinstance(video, str) else tuple(map(copied, video)) for video in sample.videos)
    return replace(sample, images=images, videos=videos, audios=audios, origin=origin)
