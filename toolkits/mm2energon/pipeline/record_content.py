"""What a record of a shard holds, read back: its json, its turns, the bytes of its media, and digests to know it by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mm2energon.errors import SampleError
from mm2energon.formats.turns import read_turns
from mm2energon.jsonio import dumps, loads
from mm2energon.jsonvalue import MAX_DEPTH_AROUND
from mm2energon.sample import Sample, Turn
from mm2energon.shards.pickles import load_nested_bytes
from mm2energon.shards.records import TOKENS_KEY
from mm2energon.targets import Target

_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Content:
    """What a record holds."""

    text: Mapping[str, Any]
    turns: tuple[Turn, ...]
    images: list[bytes]
    #: Each video as its encoded frames.
    videos: list[list[bytes]]
    audios: list[bytes]

    def sample(self, *, origin: str) -> Sample:
        """The same as a sample whose paths nobody knows."""
        images, videos, audios = (("",) * len(media) for media in (self.images, self.videos, self.audios))
        return Sample(self.turns, images, videos, audios, origin=origin)


class Digests(NamedTuple):
    """What a sample is known by; each is 16 bytes, or empty where there is nothing."""

    #: Of its original id.
    id: bytes
    #: Of its turns.
    said: bytes
    #: Of its whole json, but for what is noted there of its tokens.
    text: bytes
    #: Of all its media.
    media: bytes
    #: Of each medium that keeps samples in one split: a video by its first frame.
    shared: tuple[bytes, ...] = ()


def read_content(record: Mapping[str, bytes], layout: Target) -> Content:
    """What a record holds.

    Args:
        layout: the target that it was written for.

    Raises:
        SampleError: a part is missing, or is not what the target says.
    """
    try:
        text = _json(record)
        turns = read_turns(text["conversations" if layout.images_part else "messages"], origin="its json")
        return Content(text, turns, *_media(record, text, layout))
    except KeyError as error:
        raise SampleError(f"has no {error}", "bad-part") from error
    except TypeError as error:
        raise SampleError(f"its json is not what a record of {layout.name} holds ({error})", "bad-part") from error


def digests_of(content: Content) -> Digests:
    """What the content of a record is known by."""
    shared = [*content.images, *(video[0] for video in content.videos if video), *content.audios]
    return Digests(
        id=digest_of_id(content.text.get("id")),
        said=digest_of_turns(content.turns),
        text=digest([dumps({key: value for key, value in content.text.items() if key != TOKENS_KEY})]),
        media=digest_of_media(content.images, content.videos, content.audios),
        shared=tuple(digest([medium]) for medium in shared),
    )


def digest_of_id(value: Any) -> bytes:
    """Of an entry's own id; empty where it has none."""
    return b"" if value is None else digest([dumps(value)])


def digest_of_turns(turns: Iterable[Turn]) -> bytes:
    """Of what is said, and by whom."""
    return digest(one.encode("utf-8", "surrogatepass") for turn in turns for one in (turn.role, turn.text))


def digest_of_media(images: Iterable[bytes], videos: Iterable[Iterable[bytes]], audios: Iterable[bytes]) -> bytes:
    """Of all media, in order; empty where there are none."""
    kinds = [
        [digest([image]) for image in images],
        [digest(video) for video in videos],
        [digest([audio]) for audio in audios],
    ]
    return digest([digest(kind) for kind in kinds]) if any(kinds) else b""


def digest(pieces: Iterable[bytes]) -> bytes:
    """Of pieces, told apart by where each begins."""
    found = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for piece in pieces:
        found.update(len(piece).to_bytes(8, "little"))
        found.update(piece)
    return found.digest()


def _json(record: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        text = loads(record["json"], max_depth=MAX_DEPTH_AROUND)
    except ValueError as error:
        raise SampleError(f"its json is not JSON ({error})", "bad-part") from error
    if not isinstance(text, dict):
        raise SampleError(f"its json is a {type(text).__name__}; an object was expected", "bad-part")
    return text


def _media(
    record: Mapping[str, bytes], text: Mapping[str, Any], layout: Target
) -> tuple[list[bytes], list[list[bytes]], list[bytes]]:
    """The images, the frames of the videos, and the audio files of a record."""
    if not layout.images_part:
        images = [record[name] for name in text["images"]]
        videos = [[record[name] for name in video] for video in text["videos"]]
        return images, videos, [record[name] for name in text["audios"]]
    images = _nested(record, layout.images_part, depth=1)
    videos = _nested(record, layout.videos_part, depth=2)
    return images, videos, _nested(record, layout.audios_part, depth=1) if layout.audios_part else []


def _nested(record: Mapping[str, bytes], part: str, *, depth: int) -> list[Any]:
    nested = load_nested_bytes(record[part], origin=part)
    if any(isinstance(item, list) != (depth == 2) for item in nested):
        raise SampleError(f"{part}: a list of {'lists of ' if depth == 2 else ''}bytes was expected", "bad-part")
    return nested
