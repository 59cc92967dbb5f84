"""Tracks: what audio a recording has, and choosing of it by number, stream, language or title."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.errors import MediaError
from mm2energon.video.streams import PLAYLISTS, file_facts

if TYPE_CHECKING:
    from av.container import InputContainer

#: Seconds by which sound may begin before the picture for the sake of its codec alone.
_PRIMING = 0.2
#: A stream that is a picture of the whole, and no video (av.stream.Disposition.attached_pic).
_COVER = 0x400
#: Kinds of boxes that are looked at for the index of a file that cannot be read.
_MOST_KINDS = 64
#: What muxers call a track that nobody gave a title.
_NO_TITLE = re.compile(r"|core media audio|.*(sound|audio) *(media *)?handler", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Track:
    """One audio stream of a recording."""

    #: 0 for the first audio stream.
    index: int
    #: Its number among all streams of the file.
    stream: int
    #: Empty: there is no decoder for it.
    codec: str
    channels: int
    #: Samples a second.
    rate: int
    language: str
    title: str
    #: Seconds after the recording's start at which it begins; None: it is not known before it is read.
    start: float | None
    #: Seconds; None: the file does not say.
    duration: float | None

    def __str__(self) -> str:
        about = [f"{self.codec or 'unknown codec'}", f"{self.channels} ch", f"{self.rate} Hz"]
        about += [word for word in (self.language, repr(self.title) if self.title else "") if word]
        return f"{self.index} ({', '.join(about)})"


@contextmanager
def open_recording(path: Path) -> Iterator[InputContainer]:
    """The opened container; what goes wrong inside becomes ours.

    Raises:
        MediaError: `missing-media` no such file; `unreadable-audio` it cannot be read, here or later in the block.
    """
    import av

    file_facts(path)
    try:
        # An absolute path, so that a colon in a name is no protocol; and no network, whatever a playlist asks for.
        options = {"protocol_whitelist": "file"}
        with av.open(str(path.absolute()), mode="r", options=options, metadata_errors="replace") as container:
            if container.format.name in PLAYLISTS:
                raise unreadable(path, f"it is a list of other files ({container.format.name})")
            yield container
    except (av.error.FFmpegError, OSError, UnicodeEncodeError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise
        why = _cut_off(path) or f"it cannot be read ({getattr(error, 'strerror', None) or error})"
        raise unreadable(path, why) from error


def unreadable(path: Path, found: str) -> MediaError:
    """The error for a recording that cannot be decoded."""
    return MediaError(
        f"{path}: {found}; expected a file with sound that FFmpeg reads; re-encode or replace it", "unreadable-audio"
    )


def _cut_off(path: Path) -> str:
    """What is said of a file that holds nothing, or of an MP4 or MOV whose recorder never came to its end; else "".

    Such a file is boxes of a length and a kind; `moov` says where all the rest is (ISO/IEC 14496-12, 4.2).
    """
    try:
        size = path.stat().st_size
        if not size:
            return "it is empty"
        with path.open("rb") as file:
            at = 0
            kinds: set[bytes] = set()
            while at < size and len(kinds) < _MOST_KINDS:
                file.seek(at)
                head = file.read(16)
                length = int.from_bytes(head[8:16] if head[:4] == b"\0\0\0\1" else head[:4], "big")
                kinds.add(head[4:8])
                at += length if length >= 8 else size
    except OSError:
        return ""
    if kinds & {b"ftyp", b"mdat"} and b"moov" not in kinds:
        return "it was cut off: the index (moov) that a recorder writes at the end is missing; untrunc may restore it"
    return ""


def tracks_of(container: InputContainer) -> list[Track]:
    """The audio tracks of a recording, in the order of the file."""
    zero = zero_of(container)
    return [_track(index, stream, zero) for index, stream in enumerate(container.streams.audio)]


def zero_of(container: InputContainer) -> float:
    """The time stamp, in seconds, at which the clock of a recording shows 0: where its video begins.

    Where sound begins well before the picture, or there is none, it is the earliest stream, as players have it. What
    lies less before the picture is not meant to be heard: first samples of a codec, which some containers do not mark.
    """
    earliest = 0.0 if container.start_time is None else container.start_time / 1e6
    for stream in container.streams.video:
        if stream.start_time is not None and stream.time_base is not None and not stream.disposition & _COVER:
            video = float(stream.start_time * stream.time_base)
            return video if abs(video - earliest) <= _PRIMING else earliest
    return earliest


def _track(index: int, stream: Any, zero: float) -> Track:
    context = stream.codec_context
    title = str(stream.metadata.get("title") or stream.metadata.get("handler_name") or "").strip()
    start = None if stream.start_time is None else float(stream.start_time * stream.time_base) - zero
    language = str(stream.language or "")
    return Track(
        index=index,
        stream=stream.index,
        codec="" if context is None else str(context.name),
        channels=0 if context is None else int(context.channels or 0),
        rate=0 if context is None else int(context.sample_rate or 0),
        language="" if language == "und" else language,
        title="" if _NO_TITLE.fullmatch(title) else title,
        start=start,
        duration=None if stream.duration is None else float(stream.duration * stream.time_base),
    )


def choose(tracks: Sequence[Track], which: str, *, path: Path) -> Track:
    """The track that is meant.

    Args:
        which: an audio index (`0`), `stream:2`, a language (`eng`, or `en` where only one begins so) or a title.

    Raises:
        MediaError: `no-track`, none or several are meant; the message names those that are there.
    """
    if not tracks:
        raise MediaError(f"{path}: it has no audio track; expected one for each speaker; check the file", "no-track")
    found = _meant(tracks, which.strip())
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} tracks are" if found else "no track is"
    there = "; ".join(map(str, tracks))
    if len(tracks) == 1 and tracks[0].channels > 1:
        there += " (where each of its channels is a speaker: --user-channel left)"
    raise MediaError(
        f"{path}: {what} {which!r}; it has {there}; expected one of these, by number, stream:N, language or title",
        "no-track",
    )


def _meant(tracks: Sequence[Track], which: str) -> list[Track]:
    if which.isdecimal():
        return [track for track in tracks if track.index == int(which)]
    kind, _, number = which.partition(":")
    if kind == "stream" and number.isdecimal():
        return [track for track in tracks if track.stream == int(number)]
    word = which.casefold()
    by_title = [track for track in tracks if track.title.casefold() == word]
    by_language = [track for track in tracks if track.language.casefold() == word]
    nearly = [track for track in tracks if word and track.language.casefold().startswith(word)]
    return by_title or by_language or nearly
