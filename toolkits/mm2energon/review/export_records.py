"""Samples of finished shards on their way to templates: their media become files below the output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mm2energon.errors import SampleError
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.pipeline.unshard import grid_of, to_sample
from mm2energon.review.model import Reviewed
from mm2energon.review.review import Review
from mm2energon.sample import Sample
from mm2energon.shards.reader import read_index

#: Folder below the output that the media go to.
MEDIA_FOLDER = "media"


def loader_of(review: Review, output: Path) -> Callable[[Reviewed], Sample]:
    """What makes samples of reviewed records: turns as edited, media as files below `output`."""
    how = Reshaping(root=output, media_folder=output / MEDIA_FOLDER)
    grid = grid_of(read_index(review.path, takes_older=True).manifest)

    def load(one: Reviewed) -> Sample:
        if one.sample is None:
            raise SampleError(f"{one.origin}: cannot be read", "bad-part")
        try:
            content = review.content(one.number)
        except SampleError as error:
            raise SampleError(f"{one.origin}: {error}", error.code) from error
        sample = to_sample(content, how, frames_in_a_grid=grid, whole_videos=True)
        return replace(sample, turns=one.sample.turns, origin=one.origin)

    return load
