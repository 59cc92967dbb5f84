"""Streams: opening a video file and picking the stream that people mean by it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mm2energon.errors import MediaError
from mm2energon.rules import MAX_PIXELS

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: Formats that name other files instead of holding a video.
PLAYLISTS = frozenset({"hls", "concat", "concatf", "dash", "imf", "image2", "sdp"})


@contextmanager
def open_video(video: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The opened container and its video stream, decoding on one thread; what goes wrong inside becomes ours.

    Raises:
        MediaError: `missing-media` no such file; `unreadable-video` it cannot be read, here or later in the block;
            `no-frames` it holds no video.
    """
    av = _import_av()
    file_facts(video)
    if not _is_unicode(video):
        raise unreadable(video, "its name is no UTF-8, by which decoders open files; rename it")
    try:
        # An absolute path, so that a colon in a name is no protocol; and no network, whatever a playlist asks for.
        options = {"protocol_whitelist": "file"}
        with av.open(str(video.absolute()), mode="r", options=options, metadata_errors="replace") as container:
            if container.format.name in PLAYLISTS:
                raise unreadable(video, f"it is a list of other files ({container.format.name})")
            stream = _pick(video, container)
            _limit_pixels(video, stream.codec_context)
            stream.codec_context.thread_count = 1
            stream.codec_context.thread_type = "NONE"
            yield container, stream
    except av.error.MemoryError as error:
        raise MemoryError(f"{video}: {error.strerror}") from error
    except (av.error.FFmpegError, OSError) as error:
        if error.errno == errno.EACCES:
            raise forbidden(video) from error
        raise unreadable(video, f"it cannot be read ({error.strerror})") from error


def _limit_pixels(video: Path, codec_context: Any) -> None:
    """Refuse a size that a header states, and have the decoder refuse it in each picture before it takes memory."""
    width, height = codec_context.width, codec_context.height
    if width * height > MAX_PIXELS:
        raise unreadable(video, f"its frames have {width}x{height} pixels, where {MAX_PIXELS} are the limit")
    codec_context.options = {"max_pixels": str(MAX_PIXELS)}


def _is_unicode(video: Path) -> bool:
    try:
        str(video.absolute()).encode()
    except UnicodeEncodeError:
        return False
    return True


def _import_av() -> ModuleType:
    try:
        import av
    except ImportError as error:
        if lacks_memory(error):
            raise MemoryError(f"PyAV cannot be loaded ({error})") from error
        raise
    return av


def lacks_memory(error: ImportError | OSError) -> bool:
    """Whether a library was not loaded because a memory limit is reached, as the system's loader tells it."""
    return any(text in str(error) for text in ("llocate memory", "failed to map segment"))


def read_packets(container: InputContainer, streams: list[Any]) -> Iterator[Any]:
    """The packets of `streams`, in file order, then the empty one of each that makes its decoder give all it has."""
    packets = iter(container.demux(streams))
    while True:
        try:
            yield next(packets)
        except (StopIteration, IndexError):
            # IndexError: PyAV fails at the end on a stream that turned up in mid-file; the others are at their end.
            return


def drop_others(container: InputContainer, stream: VideoStream) -> None:
    """Have the container pass over what belongs to other streams: not read at all where it knows where they lie."""
    from av.stream import Discard

    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all


def file_facts(video: Path) -> os.stat_result:
    """Size and times of a video file.

    Raises:
        MediaError: `missing-media` no such file; `unreadable-video` it may not be looked at.
    """
    try:
        found = video.stat()
    except PermissionError as error:
        raise forbidden(video) from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file system takes
        raise _missing(video) from error
    if not stat.S_ISREG(found.st_mode):
        raise _missing(video)
    return found


def _missing(video: Path) -> MediaError:
    return MediaError(f"{video}: there is no such file; expected a video; check the path", "missing-media")


def forbidden(video: Path) -> MediaError:
    """The error for a video that we may not read."""
    return MediaError(
        f"{video}: no permission to read it; expected a readable file; change its mode or its owner", "unreadable-video"
    )


def unreadable(video: Path, found: str) -> MediaError:
    """The error for a video that cannot be decoded, or not wholly."""
    return MediaError(
        f"{video}: {found}; expected a whole, playable video; re-encode or replace it", "unreadable-video"
    )


def found_in(error: MediaError, video: Path) -> str:
    """What an error of `unreadable` says was found."""
    return str(error).removeprefix(f"{video}: ").partition("; expected")[0]


def no_frames(video: Path, found: str) -> MediaError:
    """The error for a file that yields no frame."""
    return MediaError(f"{video}: {found}; expected at least one frame; replace or drop it", "no-frames")


def _pick(video: Path, container: InputContainer) -> VideoStream:
    """The default stream, else the largest, else the first; a cover picture, in whatever guise, is not a video."""
    from av.stream import Disposition

    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not streams:
        raise no_frames(video, "it has no video stream (sound, or a cover picture, alone)")
    playable = [stream for stream in streams if stream.codec_context is not None]
    if not playable:
        raise unreadable(video, "no decoder for its codec")

    def rank(stream: VideoStream) -> tuple[bool, bool, int, int]:
        is_default = bool(stream.disposition & Disposition.default)
        return (stream.frames != 1, is_default, stream.codec_context.width * stream.codec_context.height, -stream.index)

    return max(playable, key=rank)
