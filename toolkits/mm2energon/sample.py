"""Sample and Turn: what flows between the formats and the targets; paths, never bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]

IMAGE_TAG = "<image>"
VIDEO_TAG = "<video>"
AUDIO_TAG = "<audio>"
#: What stands for a medium in a text -> the key of an entry that has the paths of its kind.
KEYS = {IMAGE_TAG: "images", VIDEO_TAG: "videos", AUDIO_TAG: "audios"}

#: A video is a path, or the paths of its frames in time order.
Video = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message; a tag in its text stands for the next path of that kind."""

    role: Role
    text: str
    #: Keys of the turn that mean nothing to us, kept as they are.
    extra: Mapping[str, Any] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """One conversation with its media.

    Paths are relative to the dataset root, with forward slashes, in the order of the tags.
    """

    turns: tuple[Turn, ...]
    images: tuple[str, ...] = ()
    videos: tuple[Video, ...] = ()
    audios: tuple[str, ...] = ()
    #: The entry's own id, whatever its type; None when it has none.
    id: Any = None
    #: Keys of the entry that mean nothing to us, kept as they are.
    extra: Mapping[str, Any] = field(default_factory=dict)
    #: Where the sample came from: `train.json[12]` or `train.jsonl:13`.
    origin: str = ""

    def media(self) -> tuple[tuple[str, Sequence[Video]], ...]:
        """The tag of each kind of media, with the paths of that kind."""
        return (IMAGE_TAG, self.images), (VIDEO_TAG, self.videos), (AUDIO_TAG, self.audios)

    def count_tags(self, tag: str) -> int:
        """How often `tag` stands in the text of all turns."""
        return sum(turn.text.count(tag) for turn in self.turns)

    @property
    def recording(self) -> str | None:
        """What it is a piece of, as `mm2energon transcribe` notes it: `{"extra": {"recording": "talk.mp4"}}`."""
        about = self.extra.get("extra")
        name = about.get("recording") if isinstance(about, Mapping) else None
        return name if isinstance(name, str) else None
