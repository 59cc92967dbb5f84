"""Index: when each frame of a video is on the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mm2energon.video.packets import SPLICE_SECONDS, PacketScan, scan_packets
from mm2energon.video.reach import PacketOrder
from mm2energon.video.streams import no_frames, open_video, read_packets, unreadable

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: A time base is finer than the frames, so that its time stamps are rounded values, from this many ticks per frame.
FINE_TICKS = 4

#: The frame that is decoded last is shown among this many last ones.
LAST_FRAMES = 4

#: Of B pictures in a row, as many are built on the same later frame at most (16: the longest decoders hold back).
MOST_BETWEEN = 16


@dataclass(frozen=True)
class Index:
    """The shown frames of a video, in presentation order."""

    #: int64, one per frame, in ticks of `time_base`, never falling.
    pts: NDArray[np.int64]
    time_base: Fraction
    #: When the last frame leaves the screen, in ticks.
    end: int
    #: Where the index was read off the packets alone: these. None when every frame was decoded to make it.
    packets: PacketOrder | None = None
    #: The video is damaged: these are its frames before the fault.
    is_partial: bool = False

    def __len__(self) -> int:
        return int(self.pts.size)

    @property
    def decoded(self) -> bool:
        """Whether every frame was decoded to make the index."""
        return self.packets is None

    @property
    def start_seconds(self) -> float:
        """pts of the first shown frame."""
        return float(int(self.pts[0]) * self.time_base)

    @property
    def times(self) -> NDArray[np.float64]:
        """Seconds since the first shown frame."""
        ticks = (self.pts - self.pts[0]).astype(np.float64)
        seconds: NDArray[np.float64] = ticks * self.time_base.numerator / self.time_base.denominator
        return seconds

    @property
    def duration_seconds(self) -> float:
        """From the first frame's appearance to the last one's disappearance."""
        return float((self.end - int(self.pts[0])) * self.time_base)

    @property
    def source_fps(self) -> float:
        """Mean rate of the shown frames."""
        span = float((int(self.pts[-1]) - int(self.pts[0])) * self.time_base)
        if span > 0:
            return (len(self) - 1) / span
        return 1 / self.duration_seconds if self.duration_seconds > 0 else 0.0

    @property
    def tolerance_seconds(self) -> float:
        """By how much a time stamp may have been rounded: half a tick, or nothing where a tick is about a frame."""
        return float(self.time_base) / 2 if _usual_gap(self.pts) >= FINE_TICKS else 0.0


class IndexMismatch(Exception):  # noqa: N818 - a signal between our own passes, not an error of the user's
    """Decoding shows other frames than the packets promised."""


def index_video(video: Path, *, decode: bool = False) -> Index:
    """The index of a video: read off its packets where they can be trusted, else by decoding all of it.

    Args:
        decode: decode in any case. An index from packets is a promise, to be checked against each decoded frame.

    Raises:
        MediaError: `unreadable-video`, `no-frames`, `missing-media`.
    """
    scan = scan_packets(video)
    if not decode and scan.trustworthy:
        index = _index(np.sort(scan.shown), scan, last_duration=scan.last_duration)
        return replace(index, packets=scan.order())
    return _decode_index(video, scan)


def decode_frames(video: Path, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """All shown frames, in presentation order.

    A file may begin in mid-stream (a recorded broadcast): what cannot be decoded before the first frame is passed
    over. An error after it ends the video.
    """
    import av

    begun = False
    for packet in read_packets(container, [stream]):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError as error:
            if begun or packet.is_keyframe:
                raise unreadable(video, f"decoding stopped part way ({error.strerror})") from error
            continue
        for frame in frames:
            begun = True
            yield frame


def is_between(frame: av.VideoFrame) -> bool:
    """Whether a frame may be built on one that is shown after it (a B picture)."""
    from av.video.frame import PictureType

    return frame.pict_type == PictureType.B


def _decode_index(video: Path, scan: PacketScan) -> Index:
    """The index from decoding every frame: the truth about which frames are shown."""
    pts: list[int | None] = []
    duration = 0
    damaged = -1
    with open_video(video) as (container, stream):
        for ordinal, frame in enumerate(decode_frames(video, container, stream)):
            pts.append(frame.pts)
            duration = int(frame.duration or 0)
            damaged = ordinal if frame.is_corrupt else damaged
    ends_damaged = damaged >= 0 and len(pts) - damaged <= LAST_FRAMES
    if scan.is_bare and (ends_damaged or _last_packet_alone_fails(video)):
        raise unreadable(video, "its last frame is damaged, as where a file was cut off")
    if not pts:
        raise no_frames(video, "nothing in it could be decoded to a frame")
    due = frames_due(pts, scan)
    if due is not None and (lost := np.setdiff1d(due, np.asarray(pts)).size):  # passed over without a word
        raise unreadable(video, f"{lost} of its frames cannot be decoded")
    return index_decoded(pts, scan, dts=scan.shown_dts, last_duration=duration)


def index_decoded(
    pts: Sequence[int | None], scan: PacketScan, *, dts: NDArray[np.int64], last_duration: int = 0
) -> Index:
    """The index of frames that were decoded from the first on.

    Args:
        pts: of each, as the decoder says them, in ticks.
        scan: of the packets that they came of.
        dts: of those packets, in ticks.
        last_duration: how long the last of them is shown, in ticks; 0 when unknown.
    """
    known = [tick for tick in pts if tick is not None]
    if scan.stamped and len(known) == len(pts):
        ticks = np.asarray(known, dtype=np.int64)
        if scan.may_splice:
            return _index(_risen(ticks, scan), scan, last_duration=last_duration)
        if (np.diff(ticks) >= 0).all():
            return _index(ticks, scan, last_duration=last_duration)
    return _unstamped(len(pts), scan, dts)


def frames_due(pts: Sequence[int | None], scan: PacketScan) -> NDArray[np.int64] | None:
    """pts of the frames that the packets promise, of which a decoder showed those at `pts`; None: they promise none.

    A file that begins in mid-stream begins with the first frame that was shown.
    """
    if not (scan.trustworthy and scan.is_frame_each) or None in pts:
        return None
    begin = scan.pts[0] if scan.begins_with_key else min(tick for tick in pts if tick is not None)
    return np.sort(scan.shown[scan.shown >= begin])


def _last_packet_alone_fails(video: Path) -> bool:
    """Whether a strict decoder stumbles over the last packet and no other.

    What FFmpeg patches up in HEVC it does not tell. A file that has such places elsewhere is as its maker left it.
    """
    import av

    failed: list[bool] = []
    with open_video(video) as (container, stream):
        if stream.codec_context.name != "hevc":
            return False
        stream.codec_context.options = {**stream.codec_context.options, "err_detect": "explode"}
        for packet in read_packets(container, [stream]):
            if packet.size == 0:
                continue
            try:
                packet.decode()
                failed.append(False)
            except av.error.InvalidDataError:
                failed.append(True)
    return sum(failed) == 1 and failed[-1]


def _unstamped(count: int, scan: PacketScan, dts: NDArray[np.int64]) -> Index:
    """An index for a file without pts: the n-th frame is shown at the n-th decoding time, else at n / source fps."""
    if dts.size == count and (np.diff(dts) > 0).all():
        return _index(dts, scan, last_duration=0)
    tick = 1 / scan.rate
    ordinals = np.arange(count, dtype=np.int64)
    return Index(pts=ordinals, time_base=tick, end=count)


def _risen(pts: NDArray[np.int64], scan: PacketScan) -> NDArray[np.int64]:
    """pts that never fall: where the clock of a transport stream was set back or leaps, the frames go on as before."""
    gaps = np.diff(pts)
    usual = _usual_gap(pts)
    broken = (gaps < 0) | (gaps > float(SPLICE_SECONDS / scan.time_base))
    if not broken.any():
        return pts
    return np.concatenate([pts[:1], pts[0] + np.cumsum(np.where(broken, usual, gaps))])


def _index(ticks: NDArray[np.int64], scan: PacketScan, *, last_duration: int) -> Index:
    duration = last_duration if last_duration > 0 else _usual_gap(ticks)
    if duration <= 0:  # a single frame of unknown length
        duration = max(round(1 / (scan.rate * scan.time_base)), 1)
    return Index(pts=ticks, time_base=scan.time_base, end=int(ticks[-1]) + duration)


def _usual_gap(ticks: NDArray[np.int64]) -> int:
    gaps = np.diff(ticks)
    gaps = gaps[gaps > 0]
    return int(np.median(gaps)) if gaps.size else 0
