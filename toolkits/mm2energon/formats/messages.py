"""Messages, as chat templates take them: `role`/`content`, the content a string with tags or a list of parts.

    {"messages": [{"role": "user", "content": [{"type": "image", "image": "pictures/7.jpg"},
                                               {"type": "text", "text": "What is this?"}]},
                  {"role": "assistant", "content": "A cat."}]}

Parts are those of Hugging Face, TRL and qwen-vl-utils: `text`, `image`, `image_url` (`{"url": path}`), `video` (a path or a
list of frames), `audio`; a media part becomes the tag at its place. Media may also be listed beside the messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats.media import read_paths, read_videos
from mm2energon.formats.turns import read_role, read_turns
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Sample, Video

_OWN_KEYS = frozenset({"id", "messages", "conversations", "image", "images", "video", "videos", "audio", "audios"})
_TAGS = {"image": IMAGE_TAG, "image_url": IMAGE_TAG, "video": VIDEO_TAG, "audio": AUDIO_TAG}


@dataclass
class _Found:
    """Media met in content lists, in the order of their tags."""

    images: list[str] = field(default_factory=list)
    videos: list[Video] = field(default_factory=list)
    audios: list[str] = field(default_factory=list)


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format: messages, or conversations with a content that is a list of parts."""
    if "messages" in entry:
        return True
    turns = entry.get("conversations")
    return isinstance(turns, list) and any(isinstance(turn, Mapping) and _parts(turn) is not None for turn in turns)


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample.

    Raises:
        SampleError: the entry's turns, parts or media fields are not what the format says.
    """
    found = _Found()
    messages = entry.get("messages", entry.get("conversations"))
    if isinstance(messages, list):
        messages = [_flat(turn, found, origin=f"{origin}, turn {number}") for number, turn in enumerate(messages)]
    turns = read_turns(messages, origin=origin)
    return Sample(
        turns=turns,
        images=tuple(found.images) or read_paths(entry, "image", origin=origin),
        videos=tuple(found.videos) or read_videos(entry, turns, origin=origin),
        audios=tuple(found.audios) or read_paths(entry, "audio", origin=origin),
        id=entry.get("id"),
        extra={key: value for key, value in entry.items() if key not in _OWN_KEYS},
        origin=origin,
    )


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry whose contents are strings with tags, its media listed beside them."""
    entry: dict[str, Any] = {} if sample.id is None else {"id": sample.id}
    entry["messages"] = [{"role": turn.role, "content": turn.text} for turn in sample.turns]
    for key, media in (("images", sample.images), ("videos", sample.videos), ("audios", sample.audios)):
        if media:
            entry[key] = [list(medium) if isinstance(medium, tuple) else medium for medium in media]
    return {**entry, **sample.extra}


def _flat(turn: Any, found: _Found, *, origin: str) -> Any:
    """A turn whose content is a list of parts, with the parts joined to one text; other turns unchanged."""
    parts = _parts(turn) if isinstance(turn, Mapping) else None
    if parts is None:
        return turn
    role = read_role(turn, origin=origin)
    text = "".join(_part(part, found, origin=f"{origin}, part {number}") for number, part in enumerate(parts))
    return {"role": role, "content": text}


def _parts(turn: Mapping[str, Any]) -> list[Any] | None:
    content = turn.get("content", turn.get("value"))
    return content if isinstance(content, list) else None


def _part(part: Any, found: _Found, *, origin: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    if kind in _TAGS:
        medium = part.get(kind)
        if isinstance(medium, Mapping):
            medium = medium.get("url")
        _keep(kind, medium, found, origin=origin)
        return _TAGS[kind]
    raise SampleError(
        f"{origin}: unknown part {kind!r}; text, image, image_url, video or audio was expected", "bad-turn"
    )


def _keep(kind: str, medium: Any, found: _Found, *, origin: str) -> None:
    if isinstance(medium, str) and medium:
        medium = medium.removeprefix("file://")
        media = {"video": found.videos, "audio": found.audios}.get(kind, found.images)
        media.append(medium)  # type: ignore[attr-defined]
    elif kind == "video" and isinstance(medium, list) and medium and all(isinstance(path, str) for path in medium):
        found.videos.append(tuple(path.removeprefix("file://") for path in medium))
    else:
        raise SampleError(f"{origin}: its {kind} is not a path; a path was expected", "bad-media-list")
