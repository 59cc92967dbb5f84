"""Prepare: one entry to the sample and media that a shard will hold, mended where asked, and checked for its target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from mm2energon import formats
from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry, dumps
from mm2energon.pipeline.budget import Budget
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.mending import Mending, mend_system_turn, prepend_missing_tags
from mm2energon.pipeline.planned import OddFrames, PlannedMedia, PlannedVideo, even_frames, take_frames
from mm2energon.rules import Facts, Rules, VideoFacts, check, check_media, check_text, text_rules_hold
from mm2energon.sample import Sample, Turn
from mm2energon.targets import TARGETS, Target
from mm2energon.tokens import QWEN2_VL

GroupBy = Literal["media", "id", "none"]

_NO_FACTS = Facts()
_ASSUMED_FPS = 2.0
#: 29.97 fps halved, and the like, are taken for the round number.
_FPS_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sample that can be written."""

    sample: Sample
    media: PlannedMedia
    #: Other readers of the same bytes that would drop it, or lose a part of it.
    refused_by: tuple[str, ...] = ()
    #: What it costs a model, where that was asked.
    tokens: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """As plain values, for the plan."""
        sample = self.sample
        return {
            "origin": sample.origin,
            "id": sample.id,
            "turns": [[turn.role, turn.text] for turn in sample.turns],
            "audios": list(sample.audios),
            "extra": dict(sample.extra),
            "media": self.media.as_json(),
            **({} if self.tokens is None else {"tokens": dict(self.tokens)}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Prepared:
        """Back from `as_json`."""
        sample = Sample(
            turns=tuple(Turn(role, text) for role, text in value["turns"]),
            audios=tuple(value["audios"]),
            id=value["id"],
            extra=value["extra"],
            origin=value["origin"],
        )
        return cls(sample, PlannedMedia.from_json(value["media"]), tokens=value.get("tokens"))


def prepare(
    entry: Entry, *, target: Target, mending: Mending, finder: MediaFinder, budget: Budget | None = None
) -> Prepared:
    """What becomes of an entry.

    Args:
        budget: counts its tokens.

    Raises:
        SampleError: the entry is malformed, one of its media cannot be used, the target's reader would lose it, or it
            is above the budget.
    """
    sample = mended_sample(entry, target=target, mending=mending)
    rules = target.rules
    if mending.max_images is not None:
        rules = replace(rules, max_images=min(mending.max_images, rules.max_images or mending.max_images))
    media = _mend_media(finder.find(sample), target, mending)
    as_stored = media.enlarged(rules.min_side) if mending.enlarge_small_images else media
    check(sample, _facts(as_stored, rules), rules)
    return Prepared(
        sample,
        media,
        tuple(other for other in target.also if not _takes(TARGETS[other], sample, as_stored, checked_for=target)),
        None if budget is None else budget.take(sample, as_stored).as_json(),
    )


def mended_sample(entry: Entry, *, target: Target, mending: Mending) -> Sample:
    """What an entry says, mended where that was asked for; its media are not looked at.

    Raises:
        SampleError: the entry is malformed.
    """
    if entry.error is not None:
        raise entry.error
    sample = formats.load(entry.value, origin=entry.origin)
    if target.rules.own_system_turn or sample.turns[0].text != target.rules.system_text:
        sample = mend_system_turn(sample, mending.system_turn)
    return prepend_missing_tags(sample) if mending.prepend_missing_tags else sample


def group_names(prepared: Prepared, group_by: GroupBy) -> list[str]:
    """The strings by which a sample is joined to others: samples that share one stay in one split."""
    sample, media = prepared.sample, prepared.media
    if group_by == "id" and sample.id is not None:
        return [f"id:{sample.id}"]
    if group_by == "media":
        paths = [picture.path for picture in media.images]
        for video, planned in zip(sample.videos, media.videos, strict=True):
            # The first frame stands for all that were extracted together; a list of frames may share any of them.
            paths += [frame.path for frame in planned.frames[: None if isinstance(video, tuple) else 1]]
        paths += [path for path, _ in media.audios]
        # Clips of one recording are other files each, and show the same people in the same room.
        return paths if sample.recording is None else [*paths, f"recording:{sample.recording}"]
    return []


def differs_from_2_fps(prepared: Prepared) -> bool:
    """Whether a video of the sample has another rate than the one that readers assume who are not told any."""
    return any(abs(video.fps - _ASSUMED_FPS) > _FPS_TOLERANCE for video in prepared.media.videos)


def content_name(sample: Sample) -> bytes:
    """What tells a sample from others by what it says, for the hashed order of samples without a group."""
    return dumps([sample.id, [[turn.role, turn.text] for turn in sample.turns]])


def _mend_media(media: PlannedMedia, target: Target, mending: Mending) -> PlannedMedia:
    odd: OddFrames = mending.odd_frames or ("cut" if target.cuts_odd_frame else "keep")

    def mend(video: PlannedVideo) -> PlannedVideo:
        taken = take_frames(video, mending.max_frames)
        return even_frames(taken, odd, double_single=mending.double_single_frames, max_frames=mending.max_frames)

    return replace(media, videos=tuple(mend(video) for video in media.videos)) if media.videos else media


def _facts(media: PlannedMedia, rules: Rules) -> Facts:
    if not (media.images or media.videos):
        return _NO_FACTS
    pictures = tuple((picture.width, picture.height) for picture in media.images)
    videos = tuple(map(_video_facts, media.videos))
    return Facts(pictures, videos, visual_tokens(pictures, videos) if rules.max_visual_tokens else 0)


def _video_facts(video: PlannedVideo) -> VideoFacts:
    sizes = {(frame.width, frame.height) for frame in video.frames}
    width, height = (video.frames[0].width, video.frames[0].height) if video.frames else (0, 0)
    return VideoFacts(len(video.frames), width, height, same_sizes=len(sizes) <= 1)


def visual_tokens(pictures: tuple[tuple[int, int], ...], videos: tuple[VideoFacts, ...]) -> int:
    """Visual tokens of all media of a sample together, as Qwen2-VL counts them."""
    try:
        tokens = sum(QWEN2_VL.image_patches(width, height) for width, height in pictures)
        return tokens + sum(QWEN2_VL.video_patches(video.frames, video.width, video.height) for video in videos)
    except SampleError:
        return 0  # a picture of an impossible shape, which its own rule refuses with its own reason


def _takes(other: Target, sample: Sample, media: PlannedMedia, *, checked_for: Target) -> bool:
    """Whether another reader of the same bytes would train on the whole sample, which its own target takes."""
    if other.cuts_odd_frame and any(len(video.frames) % 2 for video in media.videos):
        return False
    try:
        if not _asks_no_more_of_texts(other.name, checked_for.name):
            check_text(sample, other.rules)
        check_media(sample, _facts(media, other.rules), other.rules)
    except SampleError:
        return False
    return True


@lru_cache
def _asks_no_more_of_texts(other: str, target: str) -> bool:
    return text_rules_hold(TARGETS[target].rules, TARGETS[other].rules)
