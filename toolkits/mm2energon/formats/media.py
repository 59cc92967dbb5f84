"""Media fields as the formats write them: a path, a list of paths, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.jsonio import type_name
from mm2energon.sample import IMAGE_TAG, KEYS, VIDEO_TAG, Sample, Turn, Video

#: Singular key of LLaVA -> plural key of ShareGPT.
PLURALS = {"image": "images", "video": "videos", "audio": "audios"}

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_FILE_URL = "file://"


def plain_path(path: str) -> str:
    """A path without the `file://` that some formats put before it."""
    return path.removeprefix(_FILE_URL)


def media_list(entry: Mapping[str, Any], singular: str, *, origin: str) -> list[Any]:
    """The media of one kind, whether the entry has the singular key, the plural key or both saying the same.

    Raises:
        SampleError: `bad-media-list` when a field is neither path nor list of paths, or the two keys disagree.
    """
    plural = PLURALS[singular]
    if singular not in entry and plural not in entry:
        return []
    one, many = (_as_list(entry.get(key), origin=f'{origin}: "{key}"') for key in (singular, plural))
    if one and many and any(path not in many for path in one):
        raise SampleError(
            f'{origin}: "{singular}" and "{plural}" name different files; one of the two keys was expected; '
            "take the other out",
            "bad-media-list",
        )
    return many or one


def read_paths(entry: Mapping[str, Any], singular: str, *, origin: str) -> tuple[str, ...]:
    """As `media_list`, for a kind whose every medium is one path."""
    paths = media_list(entry, singular, origin=origin)
    for path in paths:
        if not isinstance(path, str):
            raise _bad(f'{origin}: "{singular}"', path)
    return tuple(paths)


def read_videos(entry: Mapping[str, Any], turns: tuple[Turn, ...], *, origin: str) -> tuple[Video, ...]:
    """The videos of an entry; a list of pictures inside the list, or in its place with a single tag, is one video."""
    videos = media_list(entry, "video", origin=origin)
    if not videos:
        return ()
    tags = sum(turn.text.count(VIDEO_TAG) for turn in turns)
    if tags == 1 and _are_frames(videos):
        return (tuple(videos),)
    return tuple(tuple(video) if isinstance(video, list) else video for video in videos)


def with_video_tags(turns: tuple[Turn, ...], videos: list[Any]) -> tuple[Turn, ...]:
    """The turns of an entry without images, with `<video>` where the users' `<image>` can only mean its videos."""
    if not videos or any(VIDEO_TAG in turn.text for turn in turns):
        return turns
    tags = sum(turn.text.count(IMAGE_TAG) for turn in turns if turn.role == "user")
    if tags == 0 or (tags != len(videos) and not (tags == 1 and _are_frames(videos))):
        return turns
    return tuple(
        replace(turn, text=turn.text.replace(IMAGE_TAG, VIDEO_TAG)) if turn.role == "user" else turn for turn in turns
    )


def with_front_tag(sample: Sample) -> Sample:
    """A sample whose one medium no text names, with its tag before the first question, where some trainers put it."""
    tags = [tag for tag, media in sample.media() for _ in media]
    first = next((turn for turn in sample.turns if turn.role == "user"), None)
    if len(tags) != 1 or first is None or sample.count_tags(tags[0]):
        return sample
    shown = replace(first, text=f"{tags[0]}\n{first.text}")
    return replace(sample, turns=tuple(shown if turn is first else turn for turn in sample.turns))


def media_lists(sample: Sample) -> dict[str, list[Any]]:
    """The media of a sample as entries list them, by plural key; a kind that it has none of has no key."""
    return {
        KEYS[tag]: [list(medium) if isinstance(medium, tuple) else medium for medium in media]
        for tag, media in sample.media()
        if media
    }


def is_picture(path: Any) -> bool:
    """Whether something is the path of a picture, by its ending."""
    return isinstance(path, str) and path.lower().endswith(_PICTURES)


def _are_frames(videos: list[Any]) -> bool:
    """Whether a list in the place of videos is the frames of one."""
    return bool(videos) and all(is_picture(video) for video in videos)


def _as_list(value: Any, *, origin: str) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, list):
        return [_as_medium(item, origin=origin) for item in value]
    path = named_path(value)
    if isinstance(path, str):
        return [plain_path(path)]
    raise _bad(origin, value)


def named_path(value: Any) -> Any:
    """The path in an object that stands for a medium, as `datasets` writes it in JSON; anything else as it is."""
    if not isinstance(value, Mapping) or value.get("bytes"):
        return value
    return next((path for path in map(value.get, ("path", "url")) if isinstance(path, str) and path), value)


def _as_medium(item: Any, *, origin: str) -> str | list[str]:
    """A path, or the paths of a video's frames."""
    paths = [named_path(path) for path in (item if isinstance(item, list) and item else [item])]
    for path in paths:
        if not isinstance(path, str) or not path:
            raise _bad(origin, path)
    return [plain_path(path) for path in paths] if isinstance(item, list) else plain_path(paths[0])


def _bad(origin: str, value: Any) -> SampleError:
    shown = "an empty string" if value == "" else "an empty list" if value == [] else type_name(value)
    return SampleError(
        f"{origin} holds {shown}; a path or a list of paths was expected; mend the field", "bad-media-list"
    )
