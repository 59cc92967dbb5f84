"""What is wrong with one record of a shard: its parts, its json, its pictures, and what its reader would lose of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.images.library import decode
from mm2energon.pipeline.prepare import visual_tokens
from mm2energon.pipeline.record_content import Content, read_content
from mm2energon.rules import Facts, VideoFacts, check
from mm2energon.targets import Target

#: Letters of a value that are shown.
_SHOWN = 80


class RecordReader:
    """Reads records, counts their media, and names their faults."""

    def __init__(self, layout: Target, target: Target, *, odd_frames: str | None = None) -> None:
        """
        Args:
            layout: the target that the bytes were written for: which parts there are.
            target: the reader: what it takes.
            odd_frames: what the options of the run said of odd frames; `keep` makes them no fault.
        """
        self._layout = layout
        self._target = target
        self._wants_even = target.cuts_odd_frame and odd_frames != "keep"
        self.images = 0
        self.videos = 0
        self.frames = 0

    def read(self, record: Mapping[str, bytes]) -> tuple[Content | None, list[str]]:
        """What a record holds (None when that cannot be read), and what is wrong with it."""
        try:
            content = read_content(record, self._layout)
        except SampleError as error:
            return None, [str(error)]
        return content, list(self._faults(content))

    def _faults(self, content: Content) -> Iterator[str]:
        try:
            facts = self._facts(content)
        except SampleError as error:
            yield str(error)
            return
        yield from self._lost(content, facts)
        seconds = content.text.get("second_per_grid_ts")
        if not isinstance(seconds, list) or len(seconds) != len(facts.videos) or not all(map(_positive, seconds)):
            yield (f"second_per_grid_ts is {str(seconds)[:_SHOWN]}; {len(facts.videos)} numbers above 0 were expected")

    def _facts(self, content: Content) -> Facts:
        pictures = tuple(_picture_size(data, f"image {number}") for number, data in enumerate(content.images))
        videos = tuple(_video_facts(frames, f"video {number}") for number, frames in enumerate(content.videos))
        self.images += len(pictures)
        self.videos += len(videos)
        self.frames += sum(video.frames for video in videos)
        return Facts(pictures, videos, visual_tokens(pictures, videos))

    def _lost(self, content: Content, facts: Facts) -> Iterator[str]:
        """What the reader would drop or cut."""
        sample = content.sample(origin="its text")
        if self._wants_even and any(video.frames % 2 for video in facts.videos):
            yield "a video has an odd number of frames; the reader cuts the last"
        try:
            check(sample, facts, self._target.rules)
        except SampleError as error:
            yield str(error)


def _picture_size(data: bytes, place: str) -> tuple[int, int]:
    """Width and height of a picture, decoded as the reader does it."""
    try:
        decoded = decode(data)
    except ValueError as error:
        raise SampleError(f"{place}: cannot be decoded ({error})", "unreadable-image") from error
    return decoded.width, decoded.height


def _video_facts(frames: list[bytes], place: str) -> VideoFacts:
    sizes = [_picture_size(frame, f"{place}, frame {number}") for number, frame in enumerate(frames, start=1)]
    width, height = sizes[0] if sizes else (0, 0)
    return VideoFacts(len(frames), width, height, same_sizes=len(set(sizes)) <= 1)


def _positive(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value) and value > 0
    except OverflowError:  # a whole number of hundreds of digits
        return False
