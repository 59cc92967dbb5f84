"""Looked at: what the header of a video from outside says, and whether it is one of the kinds that are taken at all.

Containers alone are let in that hold pictures themselves. Formats that name other files (playlists, scripts, lists of
pictures, SDP), and pictures and texts, never reach the code of FFmpeg that would follow them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.errors import InputError
from mm2energon.video.streams import open_video

if TYPE_CHECKING:
    from av.container import InputContainer

#: FFmpeg's names of demuxers; MOV's stands for MP4, M4V, 3GP as well, Matroska's for WebM.
CONTAINERS = (
    "mov", "mp4", "matroska", "webm", "avi", "flv", "live_flv", "mpegts", "mpeg", "mpegvideo", "asf", "ogg", "gif",
    "mxf", "ivf", "obu", "h264", "hevc", "m4v", "dv", "yuv4mpegpipe", "apng",
)  # fmt: skip
#: Of files that hold the sound of a video alone.
SOUNDS = (*CONTAINERS, "aac", "mp3", "flac", "wav")
_TEXT_HEAD = 4096
#: Transfer curves of HDR (ITU-T H.273): SMPTE ST 2084, and ARIB STD-B67.
_HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class Facts:
    """What a header says."""

    #: Of a coded picture.
    pixels: int
    #: How wide a pixel is shown, by its height; None: it is square.
    pixel_aspect: Fraction | None
    #: What people should know of it.
    notes: tuple[str, ...]


def look_at(video: Path, name: str, *, seconds: float, pixels: int) -> Facts:
    """Look at a file that may be anything.

    Args:
        name: what people call it.
        seconds, pixels: what a header may say at most.

    Raises:
        InputError: it is no video of the kinds that are taken, or its header says more.
        MediaError: it has no video stream.
    """
    _require_container(video, name)
    with open_video(video) as (container, stream):
        duration = (container.duration or 0) / 1e6
        if duration > seconds:
            raise InputError(f"{name}: it lasts {duration:g} s; at most {seconds:g} s were expected; cut it")
        context = stream.codec_context
        if context.width * context.height > pixels:
            size = f"{context.width}x{context.height}"
            raise InputError(
                f"{name}: its pictures have {size} pixels; at most {pixels} were expected; make it smaller"
            )
        aspect = stream.sample_aspect_ratio
        return Facts(
            pixels=context.width * context.height,
            pixel_aspect=Fraction(aspect) if aspect and aspect != 1 and 1 / 8 <= aspect <= 8 else None,  # noqa: PLR2004
            notes=tuple(_notes(context)),
        )


def _notes(context: Any) -> Iterator[str]:
    if (curve := _HDR.get(context.color_trc)) is not None:
        yield f"it is HDR ({curve}), whose brightness is not mapped: it looks paler than it is meant"


def _require_container(video: Path, name: str) -> None:
    """Refuse what no demuxer of ours takes, before any other is asked."""
    if _is_text(video):
        raise InputError(
            f"{name}: it is a text (a playlist, a page, a script); a video file was expected; choose another"
        )
    with open_for_sound(video, name):
        pass


@contextmanager
def open_for_sound(video: Path, name: str, kinds: Sequence[str] = CONTAINERS) -> Iterator[InputContainer]:
    """The container by itself, as `open_video` opens it together with its pictures.

    Args:
        kinds: the demuxers that are asked.

    Raises:
        InputError: it is none of the kinds that are taken.
    """
    import av

    options = {"protocol_whitelist": "file", "format_whitelist": ",".join(kinds)}
    try:
        container = av.open(str(video.absolute()), mode="r", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        if isinstance(error, av.error.MemoryError):
            raise MemoryError from error
        raise InputError(
            f"{name}: it is no video that is taken ({error.strerror}); "
            "MP4, MOV, WebM, Matroska, AVI, MPEG, FLV, WMV, OGG or GIF was expected; convert it"
        ) from error
    with container:
        yield container


def _is_text(video: Path) -> bool:
    """Whether a file begins as a text: such are the playlists and scripts that FFmpeg would follow."""
    with video.open("rb") as file:
        head = file.read(_TEXT_HEAD)
    if head.startswith(b"YUV4MPEG2 ") or not head:
        return False
    return not any(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in head)  # noqa: PLR2004 - control characters
