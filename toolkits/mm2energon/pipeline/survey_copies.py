"""Copies in a survey: samples and media that are there twice, and media that look nearly the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from mm2energon.pipeline.survey_alike import alike
from mm2energon.pipeline.survey_sample import SampleSeen, SurveyLook, VideoSeen

#: Different things that are told apart, and of these those that are compared by their looks.
_MOST_KNOWN, _MOST_COMPARED = 200_000, 20_000
_PLACES = 4
#: Prints that a video is known by.
_LOOKED_FRAMES = 3


class Where(NamedTuple):
    """A sample, or one of its media."""

    shard: str
    #: The place of the sample in its shard.
    place: int
    key: str
    split: str
    #: `image`, `video` or `audio`, and which of them; empty for the sample itself.
    kind: str = ""
    number: int = 0

    def __str__(self) -> str:
        medium = f", {self.kind} {self.number}" if self.kind else ""
        return f"{self.shard}/{self.key}{medium}"


@dataclass
class Group:
    """Things that are the same, or nearly."""

    #: How many there are, some of them, and the splits that they are in.
    count: int = 0
    places: list[Where] = field(default_factory=list)
    splits: set[str] = field(default_factory=set)

    def add(self, where: Where) -> None:
        """Take one in."""
        self.count += 1
        if len(self.places) < _PLACES:
            self.places.append(where)
        elif where.split not in self.splits:
            self.places[-1] = where
        self.splits.add(where.split)


class Known:
    """Things of one kind, by their digests; of most there is one, which costs 300 bytes."""

    def __init__(self) -> None:
        self._first: dict[bytes, Where] = {}
        self._repeated: dict[bytes, Group] = {}
        #: All that came, those included that there was no room for.
        self.total = 0
        #: There was no room for all, so that some copies may be unknown.
        self.is_cut = False

    def add(self, digest: bytes, where: Where) -> bool:
        """Take one in; whether it is the first of its kind."""
        self.total += 1
        first = self._first.get(digest)
        if first is not None:
            group = self._repeated.setdefault(digest, Group(1, [first], {first.split}))
            group.add(where)
            return False
        if len(self._first) >= _MOST_KNOWN:
            self.is_cut = True
            return False
        self._first[digest] = where
        return True

    def of(self, digest: bytes) -> Group:
        """All that are the same as one that was taken in."""
        first = self._first[digest]
        return self._repeated.get(digest) or Group(1, [first], {first.split})

    def repeated(self) -> list[Group]:
        """Those that came more than once, the most frequent first."""
        return sorted(self._repeated.values(), key=lambda group: -group.count)

    def __len__(self) -> int:
        return len(self._first)


class Copies:
    """Finds what is there twice."""

    def __init__(self) -> None:
        self.samples = Known()
        self.images = Known()
        self.videos = Known()
        self.audios = Known()
        #: Prints of the different ones, with their digests.
        self._prints: dict[str, list[tuple[bytes, bytes]]] = {"image": [], "video": []}
        #: Some of the media were not compared by their looks: there are too many.
        self.is_cut = False

    def add(self, seen: SampleSeen, look: SurveyLook) -> None:
        """Take in a sample that was read."""
        where = Where(look.name, seen.place, seen.key, look.split)
        self.samples.add(seen.digest, where)
        for image, number in zip(seen.images, seen.image_numbers, strict=True):
            if self.images.add(image.digest, where._replace(kind="image", number=number)):
                self._compare("image", image.digest, image.print)
        for number, video in enumerate(seen.videos):
            if self.videos.add(video.digest, where._replace(kind="video", number=number)) and video.looked:
                self._compare("video", video.digest, _print_of_video(video))
        for number, (audio, _) in enumerate(seen.audios):
            self.audios.add(audio, where._replace(kind="audio", number=number))

    def _compare(self, kind: str, digest: bytes, print_: bytes) -> None:
        if len(self._prints[kind]) < _MOST_COMPARED:
            self._prints[kind].append((digest, print_))
        else:
            self.is_cut = True

    def near(self) -> list[Group]:
        """Groups of different media that look nearly the same, the largest first; of each the first place is told."""
        found = []
        for kind, known in (("image", self.images), ("video", self.videos)):
            prints = self._prints[kind]
            for places in alike([print for _, print in prints]):
                found.append(_joined(known.of(prints[place][0]) for place in places))
        return sorted(found, key=lambda group: -group.count)


def _joined(groups: Iterable[Group]) -> Group:
    joined = Group()
    for group in groups:
        joined.add(group.places[0])
        joined.splits |= group.splits
    return joined


def _print_of_video(video: VideoSeen) -> bytes:
    """The prints of the first, the middle and the last frame; of fewer, the last is taken for those that lack."""
    prints = [one.print for one in video.looked[:_LOOKED_FRAMES]]
    return b"".join(prints + prints[-1:] * (_LOOKED_FRAMES - len(prints)))
