"""Holds: what an entry of a format can say, so that nothing of a sample is lost in silence where it cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mm2energon.errors import SampleError
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Sample


@dataclass(frozen=True, slots=True)
class Holds:
    """What an entry of a format holds at most; None: any number."""

    images: int | None = None
    videos: int | None = None
    audios: int | None = None
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
    #: Tags for a video anywhere; else one, in the first question.
    tags_anywhere: bool = True
    #: The id, and keys that mean nothing to us.
    unknown_keys: bool = True


def require_held(sample: Sample, holds: Holds, name: str) -> None:
    """Refuse a sample that an entry of the format `name` cannot hold.

    Raises:
        SampleError: `cannot-hold`.
    """
    if (found := _beyond(sample, holds)) is not None:
        raise SampleError(
            f"{sample.origin}: {found}, which an entry of {name} cannot hold; choose another format, or leave it out",
            "cannot-hold",
        )


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
    return None if holds.tags_anywhere else _misplaced(sample)


def _alternates(roles: Sequence[str]) -> bool:
    spoken = roles[1:] if roles[0] == "system" else roles
    return bool(spoken) and len(spoken) % 2 == 0 and list(spoken) == ["user", "assistant"] * (len(spoken) // 2)


def _misplaced(sample: Sample) -> str | None:
    """What is wrong with the tag of a sample whose medium is not named in the text, or in the first question alone."""
    first = next((turn for turn in sample.turns if turn.role == "user"), None)
    for tag, media in ((IMAGE_TAG, sample.images), (VIDEO_TAG, sample.videos), (AUDIO_TAG, sample.audios)):
        tags = sample.count_tags(tag)
        if tags != len(media) or (first is not None and tags != first.text.count(tag)):
            return f"{tags} {tag} tags, {len(media)} of them to be in the first question"
    return None
