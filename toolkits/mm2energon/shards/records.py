"""Records: a sample and the bytes of its media, as the parts that a target's reader takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from mm2energon.jsonio import dumps
from mm2energon.sample import Sample
from mm2energon.shards.pickles import dump_images, dump_videos
from mm2energon.targets import Target, turns_json

#: Endings that say what a sound file is. Any other is left out: some (`pyd`, `pth`) would be unpickled by loaders.
SOUNDS = frozenset({"wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "aac", "aif", "aiff", "wma", "amr"})

#: The key of the json under which it says what the sample costs a model.
TOKENS_KEY = "tokens"

#: Part name -> bytes, or the pieces of them, in the order in which they are written.
Record = dict[str, "bytes | list[bytes]"]


@dataclass(frozen=True, slots=True)
class Media:
    """The bytes of a sample's media, in the order of its tags."""

    images: Sequence[bytes] = ()
    #: Each video as its encoded frames.
    videos: Sequence[Sequence[bytes]] = ()
    audios: Sequence[bytes] = ()
    #: Seconds that two frames of a video cover.
    second_per_grid_ts: Sequence[float] = ()


def make_record(sample: Sample, media: Media, target: Target, tokens: Mapping[str, Any] | None = None) -> Record:
    """The record of a sample: media parts first, `json` last; a list part is there also when it is empty.

    Args:
        tokens: what it costs a model; noted in the json, where that was asked for.
    """
    noted = _provenance(sample) if tokens is None else {**_provenance(sample), TOKENS_KEY: dict(tokens)}
    if target.images_part:
        return _pickled(sample, media, target, noted)
    return _one_member_a_picture(sample, media, target, noted)


def _pickled(sample: Sample, media: Media, target: Target, noted: Mapping[str, Any]) -> Record:
    record: Record = {
        target.images_part: dump_images(list(media.images)),
        target.videos_part: dump_videos([list(video) for video in media.videos]),
    }
    if target.audios_part:
        record[target.audios_part] = dump_images(list(media.audios))
    text = {"conversations": turns_json(sample, target), "second_per_grid_ts": list(media.second_per_grid_ts)}
    record["json"] = dumps({**text, **noted})
    return record


def _one_member_a_picture(sample: Sample, media: Media, target: Target, noted: Mapping[str, Any]) -> Record:
    record: Record = {}
    names: dict[str, list[Any]] = {"images": [], "videos": [], "audios": []}
    for number, image in enumerate(media.images):
        names["images"].append(_put(record, f"image{number}", image))
    for number, video in enumerate(media.videos):
        frames = [_put(record, f"video{number}.{place:06d}", frame) for place, frame in enumerate(video, start=1)]
        names["videos"].append(frames)
    for number, (path, audio) in enumerate(zip(sample.audios, media.audios, strict=True)):
        name = f"audio{number}.{_sound_suffix(path)}"
        record[name] = audio
        names["audios"].append(name)
    text = {"messages": turns_json(sample, target), "second_per_grid_ts": list(media.second_per_grid_ts), **names}
    record["json"] = dumps({**text, **noted})
    return record


def _put(record: Record, stem: str, picture: bytes) -> str:
    name = f"{stem}.{_picture_suffix(picture)}"
    record[name] = picture
    return name


def _picture_suffix(picture: bytes) -> str:
    if picture.startswith(b"\x89PNG"):
        return "png"
    return "webp" if picture[8:12] == b"WEBP" else "jpg"


def _sound_suffix(path: str) -> str:
    """What the name of a sound file says it is: `mp3` for `a.MP3` and `a.mp3 (1)`, `bin` when it says nothing."""
    letters = re.match(r"\.([a-z0-9]+)", PurePosixPath(path).suffix.lower())
    return letters[1] if letters and letters[1] in SOUNDS else "bin"


def _provenance(sample: Sample) -> dict[str, Any]:
    """What the reader passes over and a person looks for: the entry's own id and its unknown keys."""
    kept: dict[str, Any] = {} if sample.id is None else {"id": sample.id}
    if sample.extra:
        kept["extra"] = dict(sample.extra)
    return kept
