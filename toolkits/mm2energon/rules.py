"""Rules: what a reader takes of a sample, asked before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mm2energon.errors import SampleError
from mm2energon.sample import KEYS, Sample

#: Control tokens of Qwen's chat template: in a text they break the count of media or the masking of the labels.
_CONTROL_TOKENS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
_CONTROL_MARK = "<|"
_MAX_ASPECT_RATIO = 200
#: Pixels above which a picture is taken for a decompression bomb: where Pillow, with which readers open it, stops.
MAX_PIXELS = 2 * 89_478_485


@dataclass(frozen=True)
class Rules:
    """What a reader takes; a sample outside of it would be dropped or cut in silence at training time."""

    #: Pixels that both sides of every picture must have.
    min_side: int = 1
    #: Frames that a video must have, and may have (None: no limit).
    min_frames: int = 1
    max_frames: int | None = None
    max_images: int | None = None
    #: Visual tokens of all media together (Qwen2-VL family).
    max_visual_tokens: int | None = None
    #: user and assistant strictly in turn, beginning with user, ending with assistant.
    alternating: bool = False
    #: Tags are expanded in user turns only.
    tags_in_user_turns_only: bool = False
    #: Whether a system turn trains: any, none but this one text, or none.
    system_text: str | None = None
    own_system_turn: bool = True
    #: Chat templates render a system turn at the beginning alone.
    system_turn_first: bool = True
    #: Some assistant turn says something: the labels are made of these.
    wants_answer: bool = True
    no_control_tokens: bool = False
    same_frame_sizes: bool = True
    max_aspect_ratio: int | None = _MAX_ASPECT_RATIO
    #: Audio files in one sample (None: no limit).
    max_audios: int | None = 0


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a target asks about a video: its frames, and the pixels of each (0 when unknown)."""

    frames: int
    width: int
    height: int
    same_sizes: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What a target asks about the media of a sample, in the order of their tags."""

    #: (width, height) in pixels, upright.
    images: Sequence[tuple[int, int]] = ()
    videos: Sequence[VideoFacts] = ()
    visual_tokens: int = 0


def check(sample: Sample, facts: Facts, rules: Rules) -> None:
    """Refuse a sample that a reader with these rules would drop or cut in silence.

    Raises:
        SampleError: with the reason.
    """
    check_text(sample, rules)
    check_media(sample, facts, rules)


def check_text(sample: Sample, rules: Rules) -> None:
    """The part of `check` that asks what is said.

    Raises:
        SampleError: as `check`.
    """
    text = "\n".join([turn.text for turn in sample.turns])
    _check_tags(sample, text, rules)
    _check_turns(sample, rules)
    _check_system_turns(sample, rules)
    _check_answer(sample, rules)
    _check_words(sample, text, rules)


def text_rules_hold(rules: Rules, other: Rules) -> bool:
    """Whether a sample whose text is right by `rules` is right by those of `other` as well."""
    names = ("alternating", "tags_in_user_turns_only", "system_turn_first", "wants_answer", "no_control_tokens")
    same_system_turn = not rules.own_system_turn and rules.system_text == other.system_text
    return all(getattr(rules, name) >= getattr(other, name) for name in names) and (
        other.own_system_turn or same_system_turn
    )


def check_media(sample: Sample, facts: Facts, rules: Rules) -> None:
    """The part of `check` that asks what is shown.

    Raises:
        SampleError: as `check`.
    """
    _check_counts(sample, facts, rules)
    for width, height in facts.images:
        _check_size(sample, "an image", width, height, rules)
    for video in facts.videos:
        _check_video(sample, video, rules)


def _check_tags(sample: Sample, text: str, rules: Rules) -> None:
    may_hold_tags = "<" in text
    for tag, media in sample.media():
        found = text.count(tag) if may_hold_tags else 0
        if found != len(media):
            few = found < len(media)
            advice = "mend the text, or use --prepend-missing-tags" if few else "mend the text or the list"
            raise SampleError(
                f'{sample.origin}: {found} {tag} tags, {len(media)} paths in "{KEYS[tag]}"; '
                f"as many of each were expected; {advice}",
                "tag-count",
            )
        in_users = sum(turn.text.count(tag) for turn in sample.turns if turn.role == "user") if found else 0
        if rules.tags_in_user_turns_only and found > in_users:
            raise SampleError(
                f"{sample.origin}: a {tag} tag in a turn that is not the user's, where the reader does not expand it; "
                "tags in user turns were expected; move the tag",
                "tag-place",
            )


def _check_turns(sample: Sample, rules: Rules) -> None:
    if not rules.alternating:
        return
    roles = [turn.role for turn in sample.turns]
    if roles[:1] == ["system"]:
        roles = roles[1:]
    expected = ["user", "assistant"] * (len(roles) // 2)
    if not roles or roles != expected:
        raise SampleError(
            f"{sample.origin}: turns are {', '.join(roles[:6]) or 'missing'}{'...' if len(roles) > 6 else ''}; "
            "user and assistant in turn, ending with the assistant, were expected; mend the conversation",
            "turn-order",
        )


def _check_system_turns(sample: Sample, rules: Rules) -> None:
    roles = [turn.role for turn in sample.turns]
    if "system" not in roles:
        return
    first = sample.turns[:1]
    if rules.system_turn_first and "system" in roles[1:]:
        raise SampleError(
            f"{sample.origin}: a system turn behind other turns, which chat templates pass over; "
            "one at the beginning was expected; move it, or make it a part of a user turn",
            "system-turn",
        )
    if rules.own_system_turn or not first or first[0].role != "system" or first[0].text == rules.system_text:
        return
    raise SampleError(
        f"{sample.origin}: a system turn of its own, with which the reader drops the sample; none was expected; "
        "use --system-turn fold (its text goes before the first question) or --system-turn drop",
        "system-turn",
    )


def _check_answer(sample: Sample, rules: Rules) -> None:
    if rules.wants_answer and not any(
        turn.role == "assistant" and turn.text and not turn.text.isspace() for turn in sample.turns
    ):
        raise SampleError(
            f"{sample.origin}: no assistant turn says anything; an answer to train on was expected; take the entry out",
            "no-answer",
        )


def _check_words(sample: Sample, text: str, rules: Rules) -> None:
    half = _half_of_a_pair(text)
    if half is not None:
        raise SampleError(
            f"{sample.origin}: the text holds {ascii(half)}, half of a surrogate pair; Unicode text was expected; "
            "mend or take out that character",
            "not-unicode",
        )
    if not rules.no_control_tokens or _CONTROL_MARK not in text:
        return
    token = next((token for token in _CONTROL_TOKENS if token in text), None)
    if token is not None:
        raise SampleError(
            f"{sample.origin}: the text holds {token}; text without control tokens of the chat template was expected; "
            "take it out",
            "reserved-text",
        )


def _half_of_a_pair(text: str) -> str | None:
    """The first half of a surrogate pair in a text, which UTF-8 cannot hold."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return text[error.start]
    return None


def _check_counts(sample: Sample, facts: Facts, rules: Rules) -> None:
    if rules.max_images is not None and len(sample.images) > rules.max_images:
        raise SampleError(
            f"{sample.origin}: {len(sample.images)} images; at most {rules.max_images} were expected; split the sample",
            "too-many-images",
        )
    if rules.max_audios is not None and len(sample.audios) > rules.max_audios:
        raise SampleError(
            f"{sample.origin}: {len(sample.audios)} audio files; at most {rules.max_audios} were expected; "
            "leave the audio out, or shard for a --target that takes it",
            "audio-unsupported",
        )
    if rules.max_visual_tokens is not None and facts.visual_tokens > rules.max_visual_tokens:
        raise SampleError(
            f"{sample.origin}: about {facts.visual_tokens} visual tokens; at most {rules.max_visual_tokens} were "
            "expected, the reader drops samples above; use fewer frames (--max-frames) or smaller pictures",
            "too-many-tokens",
        )


def _check_size(sample: Sample, what: str, width: int, height: int, rules: Rules) -> None:
    if min(width, height) < rules.min_side:
        raise SampleError(
            f"{sample.origin}: {what} of {width}x{height} pixels; sides of at least {rules.min_side} were expected, "
            "the reader drops smaller ones; --enlarge-small-images brings it to that size",
            "image-too-small",
        )
    if rules.max_aspect_ratio is not None and max(width, height) > rules.max_aspect_ratio * min(width, height):
        raise SampleError(
            f"{sample.origin}: {what} of {width}x{height} pixels; an aspect ratio of at most {rules.max_aspect_ratio} "
            "was expected, the reader drops others; crop it or take the entry out",
            "image-aspect",
        )


def _check_video(sample: Sample, video: VideoFacts, rules: Rules) -> None:
    if video.frames < rules.min_frames:
        doubled = "--double-single-frames stores it twice" if video.frames else "extract its frames anew"
        raise SampleError(
            f"{sample.origin}: a video of {video.frames} frames; at least {rules.min_frames} were expected; {doubled}",
            "too-few-frames",
        )
    if rules.max_frames is not None and video.frames > rules.max_frames:
        raise SampleError(
            f"{sample.origin}: a video of {video.frames} frames; at most {rules.max_frames} were expected, the reader "
            f"cuts the rest; --max-frames {rules.max_frames} takes as many, evenly spread",
            "too-many-frames",
        )
    if rules.same_frame_sizes and not video.same_sizes:
        raise SampleError(
            f"{sample.origin}: the frames of a video differ in size; one size was expected, the reader drops others; "
            "extract them anew with mm2energon frames",
            "frame-sizes",
        )
    if video.width and video.height:
        _check_size(sample, "a frame", video.width, video.height, rules)
