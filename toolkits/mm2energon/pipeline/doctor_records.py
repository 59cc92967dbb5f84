"""One sample as it is found: its turns and media, whatever the layout, and what is wrong with it for its reader."""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from mm2energon.errors import SampleError
from mm2energon.formats.turns import read_turns
from mm2energon.jsonio import loads
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.pipeline.doctor_findings import UnreadableSample
from mm2energon.pipeline.doctor_tars import KNOWN_PARTS, FoundSample
from mm2energon.pipeline.prepare import visual_tokens
from mm2energon.rules import Facts, VideoFacts, check
from mm2energon.sample import Sample
from mm2energon.shards.keys import valid_key
from mm2energon.shards.pickles import load_nested_bytes
from mm2energon.shards.records import Media
from mm2energon.targets import Target, turns_json

#: A key and a part fill a name in a tar together: 100 letters.
_LONGEST_KEY = 64
#: Parts that hold videos, as lists of frames.
_VIDEO_PARTS = ("videos", "mp4s")
#: How Pillow begins a JPEG of quality 100 from bare pixels, as webdataset's image encoder lets it: JFIF 1.1, then
#: quantization by 1 throughout.
_PILLOW_BEGINS = b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xdb\x00\x43\x00" + b"\x01" * 64
#: ... then three colours, with chroma halved both ways; or gray.
_PILLOW_COLOURS = b"\xff\xdb\x00\x43\x01" + b"\x01" * 64 + b"\xff\xc0\x00\x11\x08"
_PILLOW_HALVED = b"\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
_PILLOW_GRAY = b"\xff\xc0\x00\x0b\x08"
#: Parts of a record of the original script, and what stands in its json.
_ORIGINAL_PARTS = frozenset({"jpgs", "videos", "json"})
_ORIGINAL_TEXT = frozenset({"conversations", "second_per_grid_ts"})
#: What Pillow raises on pictures that it cannot decode.
DECODE_FAULTS = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    struct.error,
    Image.DecompressionBombError,
)


@dataclass(slots=True)
class Chat:
    """A sample that could be read: what is said, and the media, as they are stored."""

    #: The json, an object; of a bare list of turns, an object that holds it.
    text: dict[str, Any]
    bare: bool
    sample: Sample
    media: Media
    #: (code, message) of what is wrong with it.
    faults: list[tuple[str, str]] = field(default_factory=list)
    #: Pictures, and how many of them were encoded anew.
    pictures: int = 0
    re_encoded: int = 0
    #: It has pictures, and everything about it is as the original script writes it.
    by_original: bool = False


def key_faults(found: FoundSample) -> list[tuple[str, str]]:
    """(code, message) of what is wrong with the key of a sample."""
    if found.dotted or "." in found.key:
        return [("dotted-key", f"the key is {found.key!r}")]
    if not valid_key(found.key) or len(found.key) > _LONGEST_KEY:
        return [("bad-key", f"the key is {found.key!r}")]
    return []


def is_chat(found: FoundSample, target: Target | None) -> bool:
    """Whether a sample is to be read as a conversation with its pictures in pickled lists."""
    if target is not None:
        return bool(target.images_part)
    return "json" in found.parts and bool(KNOWN_PARTS & (set(found.parts) - {"json"}))


def read_chat(found: FoundSample, target: Target | None) -> Chat:
    """The conversation and the media of a sample.

    Args:
        target: the reader that its dataset.yaml names, where that is known.

    Raises:
        UnreadableSample: `bad-json` or `unsafe-pickle`.
    """
    text, bare = _text(found)
    media = _media(found, text)
    try:
        turns = read_turns(text["conversations"], origin=str(found))
    except SampleError as error:
        raise UnreadableSample(str(error), "bad-json") from error
    empty = ("",)
    sample = Sample(
        turns, empty * len(media.images), empty * len(media.videos), empty * len(media.audios), origin=str(found)
    )
    chat = Chat(text, bare, sample, media)
    _note_writer(found, chat)
    _check_seconds(chat)
    _check_media(chat, target)
    if target is not None and target.images_part:
        _check_layout(found, chat, target)
    return chat


def is_positive(value: Any) -> bool:
    """Whether a number of a json is above 0, and finite."""
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value) and value > 0


def _text(found: FoundSample) -> tuple[dict[str, Any], bool]:
    """The json as an object, and whether it was a bare list."""
    try:
        text = loads(found.parts["json"], max_depth=MAX_DEPTH_AROUND)
    except (KeyError, ValueError) as error:
        raise UnreadableSample(f"{found}: its json cannot be read ({error})", "bad-json") from error
    if isinstance(text, list):
        return {"conversations": text}, True
    if not isinstance(text, dict) or "conversations" not in text:
        raise UnreadableSample(f"{found}: its json holds no conversations", "bad-json")
    return text, False


def _media(found: FoundSample, text: Mapping[str, Any]) -> Media:
    videos = next((part for part in _VIDEO_PARTS if part in found.parts), "")
    seconds = text.get("second_per_grid_ts")
    return Media(
        images=_nested(found, "jpgs", depth=1),
        videos=_nested(found, videos, depth=2),
        audios=_nested(found, "mp3s", depth=1),
        second_per_grid_ts=seconds if isinstance(seconds, list) else (),
    )


def _nested(found: FoundSample, part: str, *, depth: int) -> list[Any]:
    if part not in found.parts:
        return []
    try:
        nested = load_nested_bytes(found.parts[part], origin=f"{found}.{part}")
    except SampleError as error:
        raise UnreadableSample(str(error), "unsafe-pickle") from error
    if any(isinstance(item, list) != (depth == 2) for item in nested):  # noqa: PLR2004
        raise UnreadableSample(f"{found}.{part}: a list of another depth", "unsafe-pickle")
    return nested


def _note_writer(found: FoundSample, chat: Chat) -> None:
    """Note how many pictures were encoded anew, and whether the original script wrote the sample."""
    pictures = [*chat.media.images, *(frame for video in chat.media.videos for frame in video)]
    chat.pictures = len(pictures)
    chat.re_encoded = sum(map(was_encoded_anew, pictures))
    chat.by_original = (
        found.by_webdataset
        and chat.re_encoded == chat.pictures > 0
        and set(found.parts) == _ORIGINAL_PARTS
        and set(chat.text) <= _ORIGINAL_TEXT
    )


def _check_seconds(chat: Chat) -> None:
    seconds, videos = chat.text.get("second_per_grid_ts"), len(chat.media.videos)
    if seconds is None and videos:
        chat.faults.append(("no-seconds", f"{videos} videos"))
    elif seconds is not None and (
        not isinstance(seconds, list) or len(seconds) != videos or not all(map(is_positive, seconds))
    ):
        chat.faults.append(("bad-seconds", f"second_per_grid_ts is {str(seconds)[:80]} for {videos} videos"))


def _check_media(chat: Chat, target: Target | None) -> None:
    """Measure the pictures, and ask what the reader would drop."""
    sample = chat.sample
    try:
        images = tuple(_measure(chat, data) for data in chat.media.images)
        videos = tuple(_video_facts([_measure(chat, data) for data in video]) for video in chat.media.videos)
        if target is not None:
            check(sample, Facts(images, videos, visual_tokens(images, videos)), target.rules)
    except SampleError as error:
        chat.faults.append(("lost-in-training", f"{error.code}: {error}"))
        return
    if target is not None and target.cuts_odd_frame and any(video.frames % 2 for video in videos):
        chat.faults.append(("lost-in-training", f"{sample.origin}: an odd last frame, which the reader cuts"))


def _measure(chat: Chat, data: bytes) -> tuple[int, int]:
    """Width and height of a picture, by its header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
        return width, height
    except DECODE_FAULTS as error:
        raise SampleError(f"{chat.sample.origin}: a picture cannot be opened ({error})", "unreadable-image") from error


def was_encoded_anew(data: bytes) -> bool:
    """Whether a picture is a JPEG as webdataset's image encoder makes one of bare pixels."""
    if not data.startswith(_PILLOW_BEGINS):
        return False
    at = len(_PILLOW_BEGINS)
    if data.startswith(_PILLOW_GRAY, at):
        return True
    sides = at + len(_PILLOW_COLOURS)
    return data.startswith(_PILLOW_COLOURS, at) and data.startswith(_PILLOW_HALVED, sides + 4)


def _video_facts(sizes: Sequence[tuple[int, int]]) -> VideoFacts:
    width, height = sizes[0] if sizes else (0, 0)
    return VideoFacts(len(sizes), width, height, same_sizes=len(set(sizes)) <= 1)


def _check_layout(found: FoundSample, chat: Chat, target: Target) -> None:
    """What the reader asks for and does not find, and what it does not ask for."""
    wanted = {part for part in (target.images_part, target.videos_part, target.audios_part) if part}
    if lacking := sorted(wanted - set(found.parts)):
        chat.faults.append(("lacking-part", f"no {', '.join(lacking)}, which {target.name} reads"))
    holding = {"jpgs": chat.media.images, "mp3s": chat.media.audios} | dict.fromkeys(_VIDEO_PARTS, chat.media.videos)
    unread = sorted(part for part in set(found.parts) & set(holding) - wanted if holding[part])
    if unread:
        chat.faults.append(("unread-part", f"its {', '.join(unread)}; {target.name} reads {', '.join(sorted(wanted))}"))
    turns = chat.text["conversations"]
    needed = turns_json(chat.sample, target)
    if any(needs.items() - _plain(turn).items() for turn, needs in zip(turns, needed, strict=True)):
        chat.faults.append(
            ("other-turns", f"its turns have {', '.join(map(str, turns[0]))}: {target.name} wants others")
        )


def _plain(turn: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in turn.items() if isinstance(value, str)}
