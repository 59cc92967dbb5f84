"""Record checks: tokens and warnings of a sample whose media are the bytes of a shard."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.pipeline.budget import Meter
from mm2energon.pipeline.planned import PlannedMedia, PlannedPicture, PlannedVideo
from mm2energon.pipeline.prepare import visual_tokens
from mm2energon.pipeline.record_content import Content
from mm2energon.rules import Facts, VideoFacts, check
from mm2energon.sample import Sample
from mm2energon.targets import TARGETS, Target

_LISTED_FPS = 2.0


def check_record(content: Content, sample: Sample, target: str, meter: Meter) -> dict[str, Any]:
    """Tokens, warnings of one target, and the first fault that each target's reader would find."""
    warnings: list[dict[str, str]] = []
    try:
        media = _media(content)
        measured = meter.measure(sample, media)
        tokens: dict[str, Any] | None = {**measured.as_json(), "total": measured.total}
    except SampleError as error:
        return {"tokens": None, "warnings": [_fault(error)], "targets": dict.fromkeys(TARGETS, _fault(error))}
    faults = {name: _fault_of(sample, media, row) for name, row in TARGETS.items()}
    if (found := faults[target]) is not None:
        warnings.append(found)
    return {"tokens": tokens, "warnings": warnings, "targets": faults}


def _media(content: Content) -> PlannedMedia:
    """The sizes of all pictures, which is what rules and models ask."""
    images = tuple(_picture(data, f"image {number + 1}") for number, data in enumerate(content.images))
    videos = tuple(
        PlannedVideo(tuple(_picture(data, f"video {number + 1}") for data in frames), _LISTED_FPS)
        for number, frames in enumerate(content.videos)
    )
    return PlannedMedia(images, videos, tuple(("", len(audio)) for audio in content.audios))


def _picture(data: bytes, name: str) -> PlannedPicture:
    from PIL import Image

    from mm2energon.images.library import decode_small

    try:
        with Image.open(BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            width, height = image.size  # readers of shards take pictures as they lie
    except (OSError, ValueError, SyntaxError):
        try:
            width, height = decode_small(data, side=32)[1]
        except ValueError as error:
            raise SampleError(f"{name} cannot be decoded ({error})", "unreadable-image") from error
    return PlannedPicture(name, width, height, len(data), True)


def _fault_of(sample: Sample, media: PlannedMedia, target: Target) -> dict[str, str] | None:
    pictures = tuple((one.width, one.height) for one in media.images)
    videos = tuple(_facts(video) for video in media.videos)
    tokens = visual_tokens(pictures, videos) if target.rules.max_visual_tokens else 0
    try:
        check(sample, Facts(pictures, videos, tokens), target.rules)
    except SampleError as error:
        return _fault(error)
    return None


def _facts(video: PlannedVideo) -> VideoFacts:
    sizes = {(frame.width, frame.height) for frame in video.frames}
    first = next(iter(video.frames), None)
    return VideoFacts(
        len(video.frames), *((first.width, first.height) if first else (0, 0)), same_sizes=len(sizes) <= 1
    )


def _fault(error: SampleError) -> dict[str, str]:
    return {"code": error.code, "message": str(error)}
