"""Sanitise: a video of anybody's made anew as H.264 and AAC in MP4, with its times, and nothing else that it held.

This runs in a worker that may be killed: whoever made the file may have made it to break its reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mm2energon.errors import InputError, MediaError
from mm2energon.video.decoders import decode_pyav
from mm2energon.video.film import Film, FilmOptions
from mm2energon.video.index import Index, IndexMismatch, index_video
from mm2energon.video.partial import index_before_fault
from mm2energon.video.sampling import Sampling, choose
from mm2energon.video.streams import found_in
from mm2energon.videochat.apart import Note
from mm2energon.videochat.looked_at import CONTAINERS, SOUNDS, Facts, look_at, open_for_sound
from mm2energon.videochat.soundtrack import Soundtrack, audio_stream, begin_of

if TYPE_CHECKING:
    from av.container import OutputContainer


#: Seconds up to which the beginnings of two files are on one clock, as those of one video in two files mostly are.
_ONE_CLOCK = 10.0
#: By how much the rate of a video may be above the limit for rounding alone.
_ROUNDING = 1.01


@dataclass(frozen=True)
class CopyLimits:
    """What a video may be, and what its copy is."""

    #: A longer one is refused.
    seconds: float = 2 * 3600.0
    #: More of either is refused.
    frames: int = 2_000_000
    source_pixels: int = 64 << 20
    #: The copy has at most so many pixels a picture, and pictures a second.
    pixels: int = 1920 * 1080
    fps: float = 60.0
    #: What its process may take: seconds of the clock, and bytes of address space.
    work_seconds: float = 3600.0
    memory_bytes: int = 6 << 30

    @property
    def recipe(self) -> str:
        """What decides the copy of a video, beside the video; its number rises with what this module does."""
        return f"1 {self.pixels} {self.fps:g}"


@dataclass(frozen=True)
class Sanitising:
    """One video to be made anew, as its process gets it."""

    source: Path
    #: Where the copy goes; what is there after an error is no copy.
    target: Path
    #: What people call it.
    name: str
    limits: CopyLimits
    note: Note
    #: Where its sound is, if not in the same file.
    sound: Path | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Sanitised:
    """What the copy is."""

    #: Seconds from the first picture's appearance to the last one's disappearance.
    duration: float
    width: int
    height: int
    #: Pictures a second, on average, and how many there are.
    fps: float
    frames: int
    has_sound: bool
    #: What people should know of it: what was left out, or is damaged.
    notes: tuple[str, ...] = ()


def sanitise(job: Sanitising) -> Sanitised:
    """Make the copy.

    Raises:
        InputError: the file is none of the kinds that are taken, or beyond the limits.
        MediaError: nothing of it can be decoded.
        OSError: the copy cannot be written.
        MemoryError: the encoders have too little of it.
    """
    try:
        facts = look_at(job.source, job.name, seconds=job.limits.seconds, pixels=job.limits.source_pixels)
        try:
            return _whole(job, facts)
        except MediaError as damage:
            if damage.code != "unreadable-video":
                raise
            return _what_decodes(job, facts, damage)
    except MediaError as error:
        raise MediaError(str(error).replace(str(job.source), job.name), error.code) from error


def _whole(job: Sanitising, facts: Facts) -> Sanitised:
    try:
        return _copied(job, facts, index_video(job.source))
    except IndexMismatch:  # the packets promised other frames than the decoder shows: ask the decoder
        return _copied(job, facts, index_video(job.source, decode=True))


def _what_decodes(job: Sanitising, facts: Facts, damage: MediaError) -> Sanitised:
    """The frames before the fault."""
    try:
        made = _copied(job, facts, index_before_fault(job.source))
    except MediaError as none_left:
        raise damage from none_left
    note = f"it is damaged ({found_in(damage, job.source)}): only its first {made.duration:.2f} s are used"
    return replace(made, notes=(note, *made.notes))


def _copied(job: Sanitising, facts: Facts, index: Index) -> Sanitised:
    import av

    _check(job, index)
    taken = _taken(job, index)
    with _encoders(), av.open(str(job.target), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        film = Film(out, taken.fps, index.duration_seconds, _film_options(job, taken, facts))
        with _sound_beside(job, out, index) as sound:
            for picture, at in zip(decode_pyav(job.source, index, taken.ordinals), taken.seconds, strict=True):
                if sound is not None:
                    sound.write_until(float(at))
                film.add(picture, float(at))
                job.note.tell(float(at), index.duration_seconds)
            film.close()
            if sound is not None:
                sound.close()
    return Sanitised(
        duration=round(index.duration_seconds, 6),
        width=film.size[0],
        height=film.size[1],
        fps=round(taken.fps, 3),
        frames=len(taken.ordinals),
        has_sound=sound is not None and sound.is_heard,
        notes=(*facts.notes, *taken.notes, *_shrunk(facts, film)),
    )


@contextmanager
def _encoders() -> Iterator[None]:
    """Say what encoders, which get sound pictures, stumble at: x264 without memory, or threads, names neither."""
    import av

    try:
        yield
    except (av.error.ExternalError, av.error.BlockingIOError) as error:
        raise MemoryError(str(error)) from error


def _film_options(job: Sanitising, taken: _Taken, facts: Facts) -> FilmOptions:
    """A key frame every two seconds or so, so that players and readers reach any time soon."""
    every = max(12, min(250, round(2 * taken.fps)))
    return FilmOptions(
        quality=18,
        encoder={"preset": "veryfast", "threads": "4", "g": str(every)},
        max_pixels=job.limits.pixels,
        pixel_aspect=facts.pixel_aspect,
    )


def _check(job: Sanitising, index: Index) -> None:
    limits = job.limits
    if index.duration_seconds > limits.seconds:
        raise too_long(job.name, index.duration_seconds, limits.seconds)
    if len(index) > limits.frames:
        found = f"it has {len(index)} frames; at most {limits.frames} were expected"
        raise InputError(f"{job.name}: {found}; cut it, or use fewer a second")


def too_long(name: str, found: float, most: float) -> InputError:
    """The error for a video that lasts longer than the limit."""
    return InputError(f"{name}: it lasts {found:g} s; at most {most:g} s were expected; cut out what you ask about")


@dataclass(frozen=True)
class _Taken:
    """The frames that go into the copy."""

    ordinals: Sequence[int]
    #: When each appears, and how many a second that is.
    seconds: NDArray[np.float64]
    fps: float
    #: What is said of those that are left out.
    notes: tuple[str, ...] = ()


def _taken(job: Sanitising, index: Index) -> _Taken:
    most = job.limits.fps
    if index.source_fps <= most * _ROUNDING:
        return _Taken(range(len(index)), index.times, index.source_fps)
    choice = choose(index.times, index.duration_seconds, Sampling(fps=most), tolerance_seconds=index.tolerance_seconds)
    note = f"it has {index.source_fps:.4g} frames a second; {len(choice.indices)} of its {len(index)} frames are used"
    return _Taken(choice.indices, index.times[list(choice.indices)], choice.fps, (note,))


@contextmanager
def _sound_beside(job: Sanitising, out: OutputContainer, index: Index) -> Iterator[Soundtrack | None]:
    """What writes the sound of the video beside its pictures; None where it has none that can be decoded."""
    path, kinds = (job.source, CONTAINERS) if job.sound is None else (job.sound, SOUNDS)
    with ExitStack() as opened:
        try:
            container = opened.enter_context(open_for_sound(path, job.name, kinds))
        except InputError:
            if job.sound is None:
                raise
            yield None  # the pictures can be asked about without it
            return
        stream = audio_stream(container)
        zero = index.start_seconds
        if stream is not None and job.sound is not None and abs(begin_of(stream) - zero) > _ONE_CLOCK:
            zero = begin_of(stream)
        yield stream and Soundtrack(container, stream, out, zero=zero, seconds=index.duration_seconds)


def _shrunk(facts: Facts, film: Film) -> list[str]:
    width, height = film.size
    if facts.pixels <= width * height * 1.1 or facts.pixels < 64 * 64:  # noqa: PLR2004 - a line off an odd side
        return []
    return [f"its pictures were made smaller, to {width}x{height} pixels"]
