"""What is wrong with one record of a shard: its parts, its json, its pictures, and what its reader would lose of it."""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image

from mm2energon.errors import SampleError
from mm2energon.formats.turns import read_turns
from mm2energon.jsonio import loads
from mm2energon.pipeline.prepare import visual_tokens
from mm2energon.rules import Facts, VideoFacts, check
from mm2energon.sample import Sample
from mm2energon.shards.pickles import load_nested_bytes
from mm2energon.targets import Target


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

    def faults(self, record: Mapping[str, bytes]) -> Iterator[str]:
        """What is wrong with a record."""
        try:
            text = _json(record)
            sample, facts = self._read(record, text)
        except SampleError as error:
            yield str(error)
            return
        except KeyError as error:
            yield f"has no {error}"
            return
        except TypeError as error:
            yield f"its json is not what a record of {self._layout.name} holds ({error})"
            return
        yield from self._lost(sample, facts)
        seconds = text.get("second_per_grid_ts")
        if not isinstance(seconds, list) or len(seconds) != len(facts.videos) or not all(map(_positive, seconds)):
            yield f"second_per_grid_ts is {seconds}; {len(facts.videos)} numbers above 0 were expected"

    def _read(self, record: Mapping[str, bytes], text: Mapping[str, Any]) -> tuple[Sample, Facts]:
        images, videos, audios = _media(record, text, self._layout)
        pictures = tuple(_picture_size(data, f"image {number}") for number, data in enumerate(images))
        facts = tuple(_video_facts(frames, f"video {number}") for number, frames in enumerate(videos))
        self.images += len(pictures)
        self.videos += len(facts)
        self.frames += sum(video.frames for video in facts)
        sample = Sample(
            turns=read_turns(text["conversations" if self._layout.images_part else "messages"], origin="its json"),
            images=("",) * len(pictures),
            videos=("",) * len(facts),
            audios=("",) * audios,
            origin="its text",
        )
        return sample, Facts(pictures, facts, visual_tokens(pictures, facts))

    def _lost(self, sample: Sample, facts: Facts) -> Iterator[str]:
        """What the reader would drop or cut."""
        if self._wants_even and any(video.frames % 2 for video in facts.videos):
            yield "a video has an odd number of frames; the reader cuts the last"
        try:
            check(sample, facts, self._target.rules)
        except SampleError as error:
            yield str(error)


def _json(record: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        text = loads(record["json"])
    except ValueError as error:
        raise SampleError(f"its json is not JSON ({error})", "bad-part") from error
    if not isinstance(text, dict):
        raise SampleError(f"its json is a {type(text).__name__}; an object was expected", "bad-part")
    return text


def _media(
    record: Mapping[str, bytes], text: Mapping[str, Any], layout: Target
) -> tuple[list[bytes], list[list[bytes]], int]:
    """The images, the frames of the videos, and the number of audio files of a record."""
    if not layout.images_part:
        images = [record[name] for name in text["images"]]
        videos = [[record[name] for name in video] for video in text["videos"]]
        return images, videos, len([record[name] for name in text["audios"]])
    images = _nested(record, layout.images_part, depth=1)
    videos = _nested(record, layout.videos_part, depth=2)
    return images, videos, len(_nested(record, layout.audios_part, depth=1)) if layout.audios_part else 0


def _nested(record: Mapping[str, bytes], part: str, *, depth: int) -> list[Any]:
    nested = load_nested_bytes(record[part], origin=part)
    if any(isinstance(item, list) != (depth == 2) for item in nested):
        raise SampleError(f"{part}: a list of {'lists of ' if depth == 2 else ''}bytes was expected", "bad-part")
    return nested


def _picture_size(data: bytes, place: str) -> tuple[int, int]:
    """Width and height of a picture, decoded as the reader does it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                decoded: Image.Image = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, IndexError, struct.error, Image.DecompressionBombError) as error:
        raise SampleError(f"{place}: cannot be decoded ({error})", "unreadable-image") from error
    return decoded.width, decoded.height


def _video_facts(frames: list[bytes], place: str) -> VideoFacts:
    sizes = [_picture_size(frame, f"{place}, frame {number}") for number, frame in enumerate(frames, start=1)]
    width, height = sizes[0] if sizes else (0, 0)
    return VideoFacts(len(frames), width, height, same_sizes=len(set(sizes)) <= 1)


def _positive(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value) and value > 0
