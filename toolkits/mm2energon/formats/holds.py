"""Holds: what an entry of a format can say, so that nothing of a sample is lost in silence where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mm2energon.errors import SampleError
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Sample

Tags = Literal["anywhere", "one each", "questions", "first question"]


@dataclass(frozen=True, slots=True)
class Holds:
    """What an entry of a format holds at most; None: any number."""

    images: int | None = None
    videos: int | None = None
    audios: int | None = None
    #: A video at least.
    needs_video: bool = False
    #: Images beside videos.
    mixed: bool = True
    #: A video that is a list of its frames.
    frame_lists: bool = True
    #: A system turn.
    system: bool = True
    #: Questions, each with its answer.
    questions: int | None = None
    #: User and assistant in turn, the user first and the assistant last.
    alternate: bool = False
    #: Where the tags of media stand; anything but "anywhere": one for each.
    tags: Tags = "anywhere"
    #: The id, and keys that mean nothing to us.
    unknown_keys: bool = True


def require_held(sample: Sample, holds: Holds, name: str) -> None:
    """Refuse a sample that an entry of the format `name` cannot hold.

    Raises:
        SampleError: `cannot-hold`.
    """
    if (found := _beyond(sample, holds)) is not None:
        raise SampleError(
            f"{sample.origin}: {found}, which an entry of {name} cannot hold; {_way_out(sample, holds)}",
            "cannot-hold",
        )
    if holds.needs_video and not sample.videos:
        raise SampleError(
            f"{sample.origin}: no video, without which an entry of {name} says nothing; choose another format",
            "cannot-hold",
        )


def _way_out(sample: Sample, holds: Holds) -> str:
    """What to do: `convert` makes images of videos, and the other way round."""
    others = "choose another format, or leave it out"
    if sample.videos and holds.videos == 0 and holds.images is None:
        return f"make images of it (--frames N), {others}"
    if sample.images and not sample.videos and holds.images == 0 and holds.frame_lists:
        return f"make a video of its frames (--join-frames), {others}"
    return others


def _beyond(sample: Sample, holds: Holds) -> str | None:
    for kind, most in (("image", holds.images), ("video", holds.videos), ("audio", holds.audios)):
        count = len(getattr(sample, f"{kind}s"))
        if most is not None and count > most:
            return f"{count} {kind}{'s' if kind != 'audio' and count > 1 else ''}"
    if not holds.mixed and sample.images and sample.videos:
        return "images beside a video"
    if not holds.frame_lists and any(isinstance(video, tuple) for video in sample.videos):
        return "a video that is a list of frames"
    roles = [turn.role for turn in sample.turns]
    if not holds.system and "system" in roles:
        return "a system turn"
    spoken = [role for role in roles if role != "system"]
    if (holds.alternate or holds.questions is not None) and not _alternates(roles):
        return f"turns in the order {', '.join(roles[:6])}"
    if holds.questions is not None and len(spoken) > 2 * holds.questions:
        return f"{len(spoken) // 2} questions"
    return None if holds.tags == "anywhere" else _misplaced(sample, holds)


def _alternates(roles: Sequence[str]) -> bool:
    spoken = roles[1:] if roles[0] == "system" else roles
    return bool(spoken) and len(spoken) % 2 == 0 and list(spoken) == ["user", "assistant"] * (len(spoken) // 2)


def _misplaced(sample: Sample, holds: Holds) -> str | None:
    """What is wrong with the tags: as many as media are wanted, and all of them where the trainer looks for them."""
    asking = [turn for turn in sample.turns if turn.role == "user"]
    spoken = [turn for turn in sample.turns if turn.role != "system"]
    looked_at = {"one each": spoken, "questions": asking, "first question": asking[:1]}[holds.tags]
    kinds = [(IMAGE_TAG, sample.images), (VIDEO_TAG, sample.videos)]
    kinds += [(AUDIO_TAG, sample.audios)] if holds.audios != 0 or holds.tags == "first question" else []
    for tag, media in kinds:
        tags = sample.count_tags(tag)
        if tags != len(media) or tags != sum(turn.text.count(tag) for turn in looked_at):
            return f"{tags} {tag} tags for {len(media)} media ({_WANTED[holds.tags]})"
    return None


_WANTED = {
    "one each": "one for each was expected, below the system turn",
    "questions": "one for each was expected, in the questions",
    "first question": "one for each was expected, in the first question",
}
