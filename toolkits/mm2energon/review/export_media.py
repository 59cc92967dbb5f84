"""Media of samples that are exported: each distinct one is found below its root, and really opened, once.

Videos and pictures are opened in workers that may be killed; a damaged one costs the samples that use it, and no other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mm2energon import images
from mm2energon.errors import MediaError, SampleError
from mm2energon.pipeline.convert_media import as_it_lies
from mm2energon.pipeline.ledger import sha256_of
from mm2energon.pipeline.loop import Limits, ProgressMaker, run_each
from mm2energon.roots import is_url, media_file, name_from
from mm2energon.sample import Sample, Video
from mm2energon.video.index import decode_frames
from mm2energon.video.layout import find_frames
from mm2energon.video.streams import no_frames, open_video, unreadable

Kind = Literal["image", "video", "frame", "audio"]

#: What a decoder may come up with in a file that nobody foresaw: it costs the file alone.
_UNFORESEEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
#: Kinds that are opened; of the frames of a video, and of sound, it is enough that they are there.
_OPENED = ("video", "image")


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium, to be opened: a unit of work."""

    root: Path
    #: Path relative to the root, or absolute.
    name: str
    kind: Kind

    def __str__(self) -> str:
        return self.name


def media_of(sample: Sample) -> Iterator[tuple[Kind, str]]:
    """The media of a sample, as its entry names them."""
    for video in sample.videos:
        if isinstance(video, str):
            yield "video", video
        else:
            yield from (("frame", frame) for frame in video)
    yield from (("image", image) for image in sample.images)
    yield from (("audio", audio) for audio in sample.audios)


@dataclass
class FoundMedia:
    """The media that samples name: where they lie, and why some cannot be used."""

    root: Path
    further: tuple[Path, ...] = ()
    #: False: nothing is looked for on the disk.
    looks: bool = True
    #: As an entry names it -> what it is called by its place, the same for every name that leads there.
    names: dict[str, str] = field(default_factory=dict)
    #: What is to be opened -> its kind.
    to_open: dict[str, Kind] = field(default_factory=dict)
    #: As an entry names it, or by its place -> why it cannot be used.
    failures: dict[str, SampleError] = field(default_factory=dict)
    #: A copy -> the file of the same content that stands for it (the first that has frames), both by their places.
    copies: dict[str, str] = field(default_factory=dict)

    def found(self, sample: Sample) -> Sample:
        """A sample whose media have been looked for; a video that it names without its ending, or by a folder of
        pictures, is named as it lies there.

        Raises:
            MediaError: nothing, or more than one thing, is meant by such a name.
        """
        if self.looks:
            sample = replace(sample, videos=tuple(self._named(video, sample.origin) for video in sample.videos))
        for kind, written in media_of(sample):
            if written not in self.names and written not in self.failures:
                self._find(kind, written)
        return sample

    def _named(self, video: Video, origin: str) -> Video:
        if isinstance(video, tuple) or video in self.names or is_url(video):
            return video
        return as_it_lies(video, self.root, origin=origin, further=self.further)

    def _find(self, kind: Kind, written: str) -> None:
        if not self.looks:
            self.names[written] = self._place(written)
            return
        try:
            path = media_file(self.root, written, origin="", further=self.further)
        except MediaError as error:
            self.failures[written] = MediaError(str(error).removeprefix(": "), error.code)
            return
        name = name_from(self.root, path.resolve())
        self.names[written] = name
        if kind in _OPENED:
            self.to_open.setdefault(name, kind)

    def _place(self, written: str) -> str:
        """What a medium is called by its place, whether it is there or not."""
        if is_url(written):
            return written
        try:
            return name_from(self.root, (self.root / written).resolve())
        except (OSError, RuntimeError, ValueError):  # too long; a loop of links; a zero byte
            return written

    def failure(self, sample: Sample) -> SampleError | None:
        """Why a sample cannot be used: the first of its media that cannot."""
        for _, written in media_of(sample):
            error = self.failures.get(written) or self.failures.get(self.names[written])
            if error is not None:
                return MediaError(f"{sample.origin}: {error}", error.code)
        return None

    def open_all(self, *, workers: int, limits: Limits, progress: ProgressMaker) -> None:
        """Open what was found, in workers; what cannot be opened is a failure."""
        media = [Medium(self.root, name, kind) for name, kind in self.to_open.items()]
        bar = progress("media", len(media))
        workers = max(1, min(workers, len(media)))
        for outcome in run_each(
            open_medium, media, workers=workers, limits=limits, in_order=False, meanwhile=lambda: bar.update(0)
        ):
            if outcome.error is not None:
                self.failures[outcome.item.name] = outcome.error
            bar.update(1)
        bar.close()

    def find_copies(self, *, progress: ProgressMaker) -> None:
        """Find the files that are the same: hard links, and copies, for which those of one size are read."""
        by_size: dict[int, list[str]] = {}
        for name in self.to_open:
            with contextlib.suppress(OSError):  # gone meanwhile, which is told where it is needed
                by_size.setdefault((self.root / name).stat().st_size, []).append(name)
        alike = [name for names in by_size.values() if len(names) > 1 for name in names]
        by_content: dict[str | None, list[str]] = {}
        bar = progress("copies", len(alike))
        for name in alike:
            with contextlib.suppress(OSError):
                by_content.setdefault(sha256_of(self.root / name), []).append(name)
            bar.update(1)
        bar.close()
        for content, names in by_content.items():
            if content is not None and len(names) > 1:
                first = next((name for name in names if first_frame_of(self.root, name) is not None), names[0])
                self.copies.update((name, first) for name in names if name != first)

    def absolute(self, written: str) -> str:
        """The absolute path of a medium."""
        return str(self.root / self.names[written])


def open_medium(medium: Medium) -> None:
    """Decode the first frame of a video, or read the header of a picture.

    Raises:
        MediaError: that cannot be done.
    """
    path = medium.root / medium.name
    try:
        if medium.kind == "video":
            _decode_first(path)
        else:
            images.read_facts(path, origin=medium.name)
    except _UNFORESEEN as error:
        raise unreadable(path, f"{type(error).__name__} while its first frame was decoded ({error})") from error


def first_frame_of(root: Path, video: str) -> str | None:
    """The first of the frames that lie beside a video; None where there are none."""
    try:
        found = find_frames(root / video)
    except (SampleError, OSError, ValueError):  # whoever needs the frames says so
        return None
    return name_from(root, found.folder / found.names[0]) if found is not None and found.names else None


def _decode_first(video: Path) -> None:
    with open_video(video) as (container, stream):
        for frame in decode_frames(video, container, stream):
            if frame.is_corrupt:
                raise unreadable(video, "its first frame is damaged")
            return
    raise no_frames(video, "nothing in it could be decoded to a frame")
