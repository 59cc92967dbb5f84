"""Media fields as the formats write them: a path, a list of paths, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.sample import VIDEO_TAG, Turn, Video

#: Singular key of LLaVA -> plural key of ShareGPT.
PLURALS = {"image": "images", "video": "videos", "audio": "audios"}

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def media_list(entry: Mapping[str, Any], singular: str, *, origin: str) -> list[Any]:
    """The media of one kind, whether the entry has the singular key, the plural key or both saying the same.

    Raises:
        SampleError: `bad-media-list` when a field is neither path nor list of paths, or the two keys disagree.
    """
    plural = PLURALS[singular]
    fields = {key: _as_list(entry.get(key), origin=f'{origin}: "{key}"') for key in (singular, plural)}
    one, many = fields[singular], fields[plural]
    if one and many and any(path not in many for path in one):
        raise SampleError(
            f'{origin}: "{singular}" and "{plural}" name different files; one of the two keys was expected',
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
    tags = sum(turn.text.count(VIDEO_TAG) for turn in turns)
    if len(videos) > 1 and tags == 1 and all(_is_picture(video) for video in videos):
        return (tuple(videos),)
    return tuple(tuple(video) if isinstance(video, list) else video for video in videos)


def _as_list(value: Any, *, origin: str) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        for item in value:
            paths = item if isinstance(item, list) and item else [item]
            for path in paths:
                if not isinstance(path, str) or not path:
                    raise _bad(origin, path)
        return value
    raise _bad(origin, value)


def _is_picture(path: Any) -> bool:
    return isinstance(path, str) and path.lower().endswith(_PICTURES)


def _bad(origin: str, value: Any) -> SampleError:
    shown = "an empty string" if value == "" else "null" if value is None else f"a {type(value).__name__}"
    return SampleError(f"{origin} holds {shown}; a path or a list of paths was expected", "bad-media-list")
