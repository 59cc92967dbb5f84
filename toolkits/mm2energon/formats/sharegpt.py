"""ShareGPT, the hub of all formats: plural media keys, one list per kind.

    {"id": "7", "images": ["pictures/7.jpg"],
     "conversations": [{"from": "human", "value": "<image>What is this?"}, {"from": "gpt", "value": "A cat."}]}

Lists of frames stand for a video as they do in LLaMA-Factory: `"videos": [["f1.jpg", "f2.jpg"]]`. In an entry
that has videos and no images, `<image>` may stand for the video, as it does in LLaVA-Video-178K.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mm2energon.formats.holds import Holds
from mm2energon.formats.media import media_list, media_lists, read_paths, read_videos, with_video_tags
from mm2energon.formats.turns import read_turns, with_system
from mm2energon.sample import Sample

HOLDS = Holds()

_NAMES = {"system": "system", "user": "human", "assistant": "gpt"}
_OWN_KEYS = frozenset({"id", "conversations", "system", "image", "images", "video", "videos", "audio", "audios"})


def matches(entry: Mapping[str, Any]) -> bool:
    """Whether the entry is of this format."""
    return "conversations" in entry


def load(entry: Mapping[str, Any], *, origin: str) -> Sample:
    """An entry as a Sample; a `system` text beside the conversation becomes its system turn.

    Raises:
        SampleError: the entry's turns or media fields are not what the format says.
    """
    own_turns = read_turns(entry["conversations"], origin=origin)
    turns = with_system(own_turns, entry)
    used = _OWN_KEYS if turns is not own_turns else _OWN_KEYS - {"system"}
    images = read_paths(entry, "image", origin=origin)
    if not images:
        turns = with_video_tags(turns, media_list(entry, "video", origin=origin))
    return Sample(
        turns=turns,
        images=images,
        videos=read_videos(entry, turns, origin=origin),
        audios=read_paths(entry, "audio", origin=origin),
        id=entry.get("id"),
        extra={key: value for key, value in entry.items() if key not in used},
        origin=origin,
    )


def dump(sample: Sample) -> dict[str, Any]:
    """A Sample as an entry; a kind without media has no key."""
    entry: dict[str, Any] = {} if sample.id is None else {"id": sample.id}
    entry["conversations"] = [
        {"from": _NAMES[turn.role], "value": turn.text, **(turn.extra or {})} for turn in sample.turns
    ]
    entry.update(media_lists(sample))
    return {**entry, **{key: value for key, value in sample.extra.items() if key not in entry}}
