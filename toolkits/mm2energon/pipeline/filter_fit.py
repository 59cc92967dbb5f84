"""Fit: fewer frames of a sample's videos, then fewer pixels of its images, as many as its budget has room for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mm2energon.pipeline.budget import Meter
from mm2energon.pipeline.filter_rules import Bounds
from mm2energon.pipeline.planned import PlannedMedia, PlannedPicture, PlannedVideo, take_frames
from mm2energon.sample import Sample

#: Frames that a video keeps: readers take no video of one frame.
_LEAST_FRAMES = 2
#: Pixels that an image keeps, and pixels of its smaller side; one that has fewer stays as it is.
_LEAST_PIXELS = 256 * 256
_LEAST_SIDE = 32


def fit(sample: Sample, media: PlannedMedia, bounds: Bounds, meter: Meter, *, list_fps: float) -> PlannedMedia:
    """The media with the most frames, and images of the most pixels, with which a sample is within its bounds.

    Each video is cut to the same number of frames at most, and none below two. Images become smaller only where that
    is not enough, all to the same number of pixels at most. Where nothing is enough, the fewest of both are left.
    (Of Qwen's videos of more than 300 frames, whose frames have fewer pixels the more there are, and a budget that has
    room for so many, a higher number may have room, too: at fewer pixels each.)

    Args:
        list_fps: the rate at which lists of frames are taken, which videos become that are cut.
    """
    longest = max((len(video.frames) for video in media.videos), default=0)
    most = longest if bounds.max_frames is None else min(longest, bounds.max_frames)
    whole = _with_frames(media, most, list_fps)
    if bounds.max_tokens is None:
        return whole
    room = bounds.max_tokens - meter.text(sample)

    def fits(cut: PlannedMedia) -> bool:
        return meter.visual(cut, origin=sample.origin) <= room

    if fits(whole):
        return whole
    frames = _last_that_fits(min(_LEAST_FRAMES, most), most, lambda count: fits(_with_frames(media, count, list_fps)))
    cut = _with_frames(media, frames, list_fps)
    largest = max((picture.width * picture.height for picture in media.images), default=0)
    if largest <= _LEAST_PIXELS or fits(cut):
        return cut
    pixels = _last_that_fits(_LEAST_PIXELS, largest, lambda count: fits(_with_pixels(cut, count)))
    return _with_pixels(cut, pixels)


def _last_that_fits(low: int, high: int, fits: Callable[[int], bool]) -> int:
    """The largest number from `low` up, and below `high`, that fits; `low` when none does."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _with_frames(media: PlannedMedia, most: int, list_fps: float) -> PlannedMedia:
    return replace(media, videos=tuple(_cut(video, most, list_fps) for video in media.videos))


def _cut(video: PlannedVideo, most: int, list_fps: float) -> PlannedVideo:
    return video if len(video.frames) <= most else replace(take_frames(video, most), fps=list_fps)


def _with_pixels(media: PlannedMedia, most: int) -> PlannedMedia:
    return replace(media, images=tuple(_smaller(picture, most) for picture in media.images))


def _smaller(picture: PlannedPicture, most: int) -> PlannedPicture:
    """The picture as it will be with that many pixels at most, its shape kept."""
    scale = math.sqrt(most / max(1, picture.width * picture.height))
    scale = max(scale, _LEAST_SIDE / max(1, min(picture.width, picture.height)))
    if scale >= 1:
        return picture
    return picture._replace(width=math.floor(picture.width * scale), height=math.floor(picture.height * scale))


def write_frames(entry: dict[str, Any], before: PlannedMedia, after: PlannedMedia) -> bool:
    """Put the frames of videos that were cut in the place of these videos in a ShareGPT entry; whether any were."""
    pairs = enumerate(zip(before.videos, after.videos, strict=True))
    cut = [place for place, (all_of_it, taken) in pairs if all_of_it is not taken]
    for place in cut:
        entry["videos"][place] = [frame.path for frame in after.videos[place].frames]
    return bool(cut)
