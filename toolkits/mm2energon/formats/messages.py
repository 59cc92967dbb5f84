"""Messages, as chat templates take them: `role`/`content`, the content a string with tags or a list of parts.

    {"messages": [{"role": "user", "content": [{"type": "image", "image": "pictures/7.jpg"},
                                               {"type": "text", "text": "What is this?"}]},
                  {"role": "assistant", "content": "A cat."}]}

Parts are those of Hugging Face, TRL and qwen-vl-utils: `text`, `image`, `image_url` (`{"url": path}`), `video` (a path
or a list of frames), `audio`, and `input_audio` of OpenAI; a media part becomes the tag at its place. A `data:` URI, or
`base64`, may stand for a path. Media may also be listed beside the messages, the parts then holding none of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mm2energon.errors import SampleError
from mm2energon.formats.holds import Holds
from mm2energon.formats.media import (
    PLURALS,
    media_list,
    media_lists,
    plain_path,
    read_paths,
    read_videos,
    with_video_tags,
)
from mm2energon.formats.turns import read_content, read_rest, read_role, read_turns, with_system
from mm2energon.jsonio import type_name
from mm2energon.sample import AUDIO_TAG, IMAGE_TAG, VIDEO_TAG, Sample, Video

HOLDS = Holds()

_MEDIA_KEYS = frozenset(PLURALS) | frozenset(PLURALS.values())
#: Types of parts -> the tag that takes their place.
_TAGS = {
    "image": IMAGE_TAG,
    "image_url": IMAGE_TAG,
    "video": VIDEO_TAG,
    "video_url": VIDEO_TAG,
    "audio": AUDIO_TAG,
    "audio_url": AUDIO_TAG,
    "input_audio": AUDIO_TAG,
}
_PATHS = ("path", "url", "video_path", "base64", "data")
#: Key of a turn: what its parts said of each medium, in their order.
MEDIA_OPTIONS = "media_options"
Medium = TypeVar("Medium", str, Video)


@dataclass
class _Found:
    """Media met in content lists, in the order of their tags."""

    images: list[str] = field(default_factory=list)
    videos: list[Video] = field(default_factory=list)
    audios: list[str] = field(default_factory=list)


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format: messages, or conversations with a content that is a list of parts."""
    turns = entry.get("conversations")
    if not turns:
        return "messages" in entry
    return isinstance(turns, list) and any(map(_has_parts, turns))


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample; a `system` text beside the messages becomes the system turn.

    Raises:
        SampleError: the entry's turns, parts or media fields are not what the format says.
    """
    found = _Found()
    name, messages = own_messages(entry)
    if isinstance(messages, list):
        messages = [_flat(turn, found, origin=f"{origin}, turn {number}") for number, turn in enumerate(messages)]
    own_turns = read_turns(messages, origin=origin)
    turns = with_system(own_turns, entry)
    used = {"id", name, *_MEDIA_KEYS} | ({"system"} if turns is not own_turns else set())
    images = _one_list(tuple(found.images), read_paths(entry, "image", origin=origin), origin=origin)
    if not images:
        turns = with_video_tags(turns, media_list(entry, "video", origin=origin))
    return Sample(
        turns=turns,
        images=images,
        videos=_one_list(tuple(found.videos), read_videos(entry, turns, origin=origin), origin=origin),
        audios=_one_list(tuple(found.audios), read_paths(entry, "audio", origin=origin), origin=origin),
        id=entry.get("id"),
        extra={key: value for key, value in entry.items() if key not in used},
        origin=origin,
    )


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry whose contents are strings with tags, its media listed beside them."""
    entry: dict[str, Any] = {} if sample.id is None else {"id": sample.id}
    entry["messages"] = [{"role": turn.role, "content": turn.text, **(turn.extra or {})} for turn in sample.turns]
    entry.update(media_lists(sample))
    return {**entry, **{key: value for key, value in sample.extra.items() if key not in entry}}


def own_messages(entry: Mapping[str, Any]) -> tuple[str, Any]:
    """The key that holds the conversation of a matching entry, and what it holds."""
    name = "conversations" if entry.get("conversations") else "messages"
    return name, entry.get(name)


def _flat(turn: Any, found: _Found, *, origin: str) -> Any:
    """A turn whose content is a list of parts, with the parts joined to one text; other turns unchanged."""
    parts = _parts(turn) if isinstance(turn, Mapping) else None
    if parts is None:
        return turn
    role = read_role(turn, origin=origin)
    text = "".join(_part(part, found, origin=f"{origin}, part {number}") for number, part in enumerate(parts))
    said = [_options(part) for part in parts if isinstance(part, Mapping) and part["type"] != "text"]
    options = {MEDIA_OPTIONS: said} if any(said) else {}
    return {**(read_rest(turn, origin=origin) or {}), **options, "role": role, "content": text}


def _options(part: Mapping[str, Any]) -> dict[str, Any]:
    """What a part says of its medium (`fps`, `max_pixels`, `video_start`, `detail`, ...).

    In a table every part has the keys of all others, as null; its `index` counts the media, as their order does.
    """
    kind = part["type"]
    inside = part.get(kind)
    if not isinstance(inside, Mapping) or "video_path" in inside:  # there a template says the same of every video
        inside = {}
    more = {key: value for key, value in inside.items() if key not in _PATHS}
    said = {**{key: value for key, value in part.items() if key not in ("type", kind, *_PATHS)}, **more}
    return {key: value for key, value in said.items() if value is not None and key != "index"}


def _has_parts(turn: Any) -> bool:
    # A dict is told at once; the abstract class alone takes longer than all the rest.
    return isinstance(turn, (dict, Mapping)) and isinstance(read_content(turn), list)


def _parts(turn: Mapping[str, Any]) -> list[Any] | None:
    content = read_content(turn)
    return content if isinstance(content, list) else None


def _part(part: Any, found: _Found, *, origin: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    if not isinstance(kind, str) or kind not in _TAGS:
        what = f"of type {kind[:50]!r}" if isinstance(kind, str) else "without a type"
        raise SampleError(
            f"{origin}: a part {what}; text, image, image_url, video or audio was expected; mend the part", "bad-turn"
        )
    medium = next((part[key] for key in (kind, "path", "url") if part.get(key) is not None), None)
    if medium is None and part.get("base64") is not None:
        medium = _data_uri(part["base64"], kind)
    if isinstance(medium, Mapping):
        medium = _inside(medium)
    if medium is not None:  # otherwise the part only says where; the path stands in the list beside the messages
        _keep(kind, medium, found, origin=origin)
    return _TAGS[kind]


def _inside(medium: Mapping[str, Any]) -> Any:
    """The path that a medium's object holds, or the content itself; the object where it holds neither."""
    if "data" in medium:  # OpenAI's input_audio
        return _data_uri(medium["data"], f"audio/{medium.get('format', 'wav')}")
    return medium.get("url", medium.get("video_path", medium))


def _data_uri(text: Any, kind: str) -> Any:
    """Base64 that lacks what tells it from a path."""
    return text if not isinstance(text, str) or text.startswith("data:") else f"data:{kind};base64,{text}"


def _keep(kind: str, medium: Any, found: _Found, *, origin: str) -> None:
    is_video = _TAGS[kind] == VIDEO_TAG
    if isinstance(medium, str) and medium:
        media: dict[str, list[Any]] = {IMAGE_TAG: found.images, VIDEO_TAG: found.videos, AUDIO_TAG: found.audios}
        media[_TAGS[kind]].append(plain_path(medium))
    elif is_video and isinstance(medium, list) and medium and all(isinstance(path, str) and path for path in medium):
        found.videos.append(tuple(plain_path(path) for path in medium))
    else:
        raise SampleError(
            f"{origin}: its {kind} is {type_name(medium) if medium else 'empty'}; a path was expected; mend the part",
            "bad-media-list",
        )


def _one_list(inside: tuple[Medium, ...], beside: tuple[Medium, ...], *, origin: str) -> tuple[Medium, ...]:
    """The media in the parts, or those listed beside the messages; both only when they say the same."""
    if inside and beside and inside != beside:
        raise SampleError(
            f"{origin}: the parts name other media than the list beside the messages; one of the two was expected; "
            "take the other out",
            "bad-media-list",
        )
    return inside or beside
