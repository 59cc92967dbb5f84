"""Packets: what a container says about a video without decoding it, and whether the file is whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.video.streams import no_frames, open_video, read_packets, unreadable
from mm2energon.video.wholeness import ends_inside, promised_bytes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: Containers whose header states how long the file is, so that a shorter one has been cut off.
PROMISING = {"mov", "matroska", "avi", "flv", "asf"}

#: Containers whose frames state their sizes, so that FFmpeg knows when the last one is cut.
SIZED = {"ivf", "mxf", "apng"}

#: A file may end this much before what its header states (sound that is rounded up, a header that is).
SLACK_SECONDS = 1.0

#: In a transport stream a leap of the clock beyond this is a splice, not a still (ffmpeg draws the line here too).
SPLICE_SECONDS = 10

#: Containers that hold no pts: those that FFmpeg makes up for their packets are wrong where frames are reordered.
UNSTAMPED = {"avi", "h264", "hevc", "m4v", "mpegvideo"}

#: Bare streams, whose end nothing but the decoder can judge.
BARE = UNSTAMPED - {"avi"}

#: Rate of a stream that states none and shows too little to tell.
FALLBACK_RATE = Fraction(25)


@dataclass
class PacketScan:
    """What one pass over the packets of the video stream found."""

    time_base: Fraction
    #: Frames per second that the stream states.
    rate: Fraction
    #: True for transport streams, whose clock may leap where recordings were joined.
    may_splice: bool
    #: False for containers that hold no pts.
    holds_pts: bool
    #: True for a stream without a container.
    is_bare: bool
    #: pts of the packets that are to be shown, in decoding order, in ticks; packets without a pts are absent.
    shown: list[int] = field(default_factory=list)
    #: dts of the packets that are to be shown; packets without one are absent.
    dts: list[int] = field(default_factory=list)
    packets: int = 0
    discarded: int = 0
    #: Ticks that the packet shown last stays on the screen; 0 when unknown.
    last_duration: int = 0

    @property
    def stamped(self) -> bool:
        """Every packet says when it is to be shown."""
        return self.holds_pts and len(self.shown) == self.packets - self.discarded and len(self.shown) > 0

    @property
    def trustworthy(self) -> bool:
        """The pts can stand for the frames: all there, no two alike, on one clock."""
        return self.stamped and len(set(self.shown)) == len(self.shown) and (self.is_steady or not self.may_splice)

    @property
    def is_steady(self) -> bool:
        """The clock neither goes back nor leaps."""
        longest = SPLICE_SECONDS / self.time_base
        return all(0 <= after - before <= longest for before, after in zip(self.dts, self.dts[1:], strict=False))


def scan_packets(video: Path) -> PacketScan:
    """Read every packet of a video, decoding none.

    Raises:
        MediaError: `unreadable-video` the file is damaged or ends too early; `no-frames` it has no video packet.
    """
    with open_video(video) as (container, stream):
        _check_end(video, container)
        scan = PacketScan(
            time_base=Fraction(stream.time_base or 1),
            rate=_stated_rate(stream),
            may_splice="mpegts" in container.format.name,
            holds_pts=container.format.name not in UNSTAMPED,
            is_bare=container.format.name in BARE,
        )
        last_pts = None
        end_seconds = 0.0
        for packet in read_packets(container, list(container.streams)):
            if packet.size == 0:  # the end of a stream, or a frame that an AVI dropped
                continue
            end_seconds = max(end_seconds, _end_seconds(packet))
            if packet.stream_index != stream.index:
                continue
            if packet.is_corrupt and (_promises(container) or container.format.name in SIZED):
                raise unreadable(video, "it ends in the middle of a frame")
            _count(scan, packet)
            if packet.pts is not None and not packet.is_discard and (last_pts is None or packet.pts > last_pts):
                last_pts = packet.pts
                scan.last_duration = int(packet.duration or 0)
        _check_whole(video, container, stream, packets=scan.packets, end_seconds=end_seconds)
    if scan.packets == scan.discarded:
        raise no_frames(video, "its video stream is empty")
    return scan


def _count(scan: PacketScan, packet: Any) -> None:
    scan.packets += 1
    if packet.is_discard:
        scan.discarded += 1
        return
    if packet.pts is not None:
        scan.shown.append(packet.pts)
    if packet.dts is not None:
        scan.dts.append(packet.dts)


def _end_seconds(packet: Any) -> float:
    stamp = packet.pts if packet.pts is not None else packet.dts
    if stamp is None or packet.time_base is None:
        return 0.0
    return float((stamp + (packet.duration or 0)) * packet.time_base)


def _promises(container: InputContainer) -> bool:
    return any(name in PROMISING for name in container.format.name.split(","))


def _check_end(video: Path, container: InputContainer) -> None:
    promised, found = promised_bytes(video), video.stat().st_size
    if promised is not None and found < promised:
        raise unreadable(video, f"it has {found} bytes, its header says {promised}")
    if ends_inside(video, container.format.name):
        raise unreadable(video, "it ends in the middle of a frame or a packet")


def _check_whole(
    video: Path, container: InputContainer, stream: VideoStream, *, packets: int, end_seconds: float
) -> None:
    """A file that was cut off must not become a shorter video: compare with the times and the frames in its header."""
    if not _promises(container):
        return
    listed = len(stream.index_entries) if container.format.name.startswith("mov") else 0
    if packets < listed:
        raise unreadable(video, f"it holds {packets} of the {listed} frames that its header lists")
    if container.duration is None:
        return
    # Microseconds. Matroska may count its duration from 0 or from a late start: the lower is what it promises.
    counted_from = 0 if "matroska" in container.format.name else container.start_time or 0
    promised = (container.duration + counted_from) / 1_000_000
    if end_seconds < promised - SLACK_SECONDS:
        raise unreadable(video, f"it ends at {end_seconds:.2f} s, its header says {promised:.2f} s")


def _stated_rate(stream: VideoStream) -> Fraction:
    for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate):
        if rate:
            return Fraction(rate)
    return FALLBACK_RATE
