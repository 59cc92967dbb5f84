"""Packets: what a container says about a video without decoding it, and whether the file is whole."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mm2energon.video.reach import PacketOrder
from mm2energon.video.references import References, read_references
from mm2energon.video.streams import drop_others, no_frames, open_video, read_packets, unreadable
from mm2energon.video.structure import find_damage
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

#: Decoders of codecs of which a packet holds one frame. Not of VP8 and MPEG-4, which have packets that show nothing.
FRAME_EACH = {"h264", "hevc", "av1", "libdav1d", "vp9", "libvpx-vp9"}

#: Stands for a time stamp that a packet does not have.
UNKNOWN = -(2**63)

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
    #: True for codecs of which every packet holds a frame to be shown, and just one.
    is_frame_each: bool
    #: The container says that the first packet is a key frame, whatever is left of it.
    begins_with_key: bool
    #: Which time finds a packet on the spot in this container; None: no time does.
    seeks_by: Literal["pts", "dts"] | None
    #: pts and dts of every packet in file order, in ticks; `UNKNOWN` where it has none.
    pts: array[int] = field(default_factory=lambda: array("q"))
    dts: array[int] = field(default_factory=lambda: array("q"))
    #: 1 for a packet that is decoded and its frame never shown, as an edit list may say.
    hidden: bytearray = field(default_factory=bytearray)
    #: The packets that a decoder can begin with.
    entries: array[int] = field(default_factory=lambda: array("q"))
    #: Where the packet shown last begins and how long it stays, in ticks; 0 when unknown.
    last_pts: int | None = None
    last_duration: int = 0

    def __len__(self) -> int:
        return len(self.pts)

    @cached_property
    def shown(self) -> NDArray[np.int64]:
        """pts of the packets that are to be shown, in decoding order."""
        return self._of_shown(self.pts)

    @cached_property
    def shown_dts(self) -> NDArray[np.int64]:
        """dts of the packets that are to be shown and have one."""
        dts = self._of_shown(self.dts)
        known: NDArray[np.int64] = dts[dts != UNKNOWN]
        return known

    @property
    def stamped(self) -> bool:
        """Every packet says when it is to be shown."""
        return self.holds_pts and self.shown.size > 0 and not (self.shown == UNKNOWN).any()

    @property
    def trustworthy(self) -> bool:
        """The pts can stand for the frames: all there, no two alike, in one piece, on one clock."""
        if not self.stamped or not np.diff(np.sort(self.shown)).all() or not self.is_in_one_piece:
            return False
        return self.is_steady or not self.may_splice

    @property
    def is_in_one_piece(self) -> bool:
        """Frames are hidden at the ends alone: where an edit list has several pieces, some are decoded in between."""
        hidden = np.asarray(self.pts, dtype=np.int64)[np.frombuffer(self.hidden, dtype=np.bool_)]
        return not ((hidden >= self.shown.min()) & (hidden <= self.shown.max())).any()

    @property
    def is_steady(self) -> bool:
        """The clock neither goes back nor leaps."""
        steps = np.diff(self.shown_dts)
        return bool(((steps >= 0) & (steps <= float(SPLICE_SECONDS / self.time_base))).all())

    def order(self) -> PacketOrder:
        """What finds the packets that wanted frames need."""
        seek_ticks = {"pts": self.pts, "dts": self.dts, None: array("q")}[self.seeks_by]
        return PacketOrder(
            pts=np.asarray(self.pts, dtype=np.int64),
            discarded=np.frombuffer(self.hidden, dtype=np.bool_),
            entries=np.asarray(self.entries, dtype=np.int64),
            seek_ticks=None if UNKNOWN in seek_ticks or not seek_ticks else np.asarray(seek_ticks, dtype=np.int64),
        )

    def _of_shown(self, ticks: array[int]) -> NDArray[np.int64]:
        return np.asarray(ticks, dtype=np.int64)[~np.frombuffer(self.hidden, dtype=np.bool_)]


def scan_packets(video: Path, *, whole: bool = True) -> PacketScan:
    """Read every packet of a video, decoding none.

    Args:
        whole: the file must be; else the packets up to the first damaged one are read.

    Raises:
        MediaError: `unreadable-video` the file is damaged or ends too early; `no-frames` it has no video packet.
    """
    with open_video(video) as (container, stream):
        if whole:
            _check_end(video, container)
        kinds = set(container.format.name.split(","))
        scan = PacketScan(
            time_base=Fraction(stream.time_base or 1),
            rate=_stated_rate(stream),
            may_splice="mpegts" in kinds,
            holds_pts=not kinds & UNSTAMPED,
            is_bare=bool(kinds & BARE),
            begins_with_key=bool(stream.index_entries) and stream.index_entries[0].is_keyframe,
            is_frame_each=stream.codec_context.name in FRAME_EACH,
            seeks_by="pts" if "matroska" in kinds else "dts" if "mov" in kinds else None,
        )
        drop_others(container, stream)
        if whole:
            _read(video, scan, container, stream, read_packets(container, [stream]))
            _check_count(video, scan, container, stream)
        else:
            _read(video, scan, container, stream, packets_before_damage(video, container, stream))
        promised = _promised_seconds(container)
    if whole:
        _check_whole(video, scan, promised)
    if scan.shown.size == 0:
        raise no_frames(video, "its video stream is empty")
    return scan


def packets_before_damage(video: Path, container: InputContainer, stream: VideoStream) -> Iterator[Any]:
    """The packets up to the first that is damaged, lies behind damage of the container, or cannot be read."""
    import av

    damage = find_damage(video, container.format.name)
    for_certain = video.stat().st_size if damage is None else damage.at
    with suppress(av.error.FFmpegError):
        for packet in read_packets(container, [stream]):
            if packet.is_corrupt or (packet.pos or 0) >= for_certain:
                return
            yield packet


def _read(
    video: Path, scan: PacketScan, container: InputContainer, stream: VideoStream, packets: Iterator[Any]
) -> None:
    references = read_references(stream.codec_context)
    settings = _Settings(references)
    refuses_corrupt = bool(set(container.format.name.split(",")) & (PROMISING | SIZED))
    for packet in packets:
        if packet.size == 0:  # the end of a stream, or a frame that an AVI dropped
            continue
        if refuses_corrupt and packet.is_corrupt:
            raise unreadable(video, "it ends in the middle of a frame")
        pts, dts = packet.pts, packet.dts
        if settings.hold_behind(packet) and references is not None and references.is_entry(packet):
            scan.entries.append(len(scan))
        scan.pts.append(UNKNOWN if pts is None else pts)
        scan.dts.append(UNKNOWN if dts is None else dts)
        scan.hidden.append(packet.is_discard)
        if pts is not None and (scan.last_pts is None or pts > scan.last_pts) and not packet.is_discard:
            scan.last_pts, scan.last_duration = pts, int(packet.duration or 0)


def _check_count(video: Path, scan: PacketScan, container: InputContainer, stream: VideoStream) -> None:
    listed = len(stream.index_entries) if container.format.name.startswith("mov") else 0
    if len(scan) < listed:
        raise unreadable(video, f"it holds {len(scan)} of the {listed} frames that its header lists")


def _check_end(video: Path, container: InputContainer) -> None:
    promised, found = promised_bytes(video), video.stat().st_size
    if promised is not None and found < promised:
        raise unreadable(video, f"it has {found} bytes, its header says {promised}")
    if ends_inside(video, container.format.name):
        raise unreadable(video, "it ends in the middle of a frame or a packet")
    if (damage := find_damage(video, container.format.name)) is not None:
        raise unreadable(video, str(damage))


class _Settings:
    """Keeps track of what the decoder is told about the stream on the way: parameter sets, and extradata from outside.

    A decoder that begins at a packet knows what the container says and what the packet holds. That is all it would know
    if it had come there by all packets before, as long as the packet repeats every set that any of them held.
    """

    def __init__(self, references: References | None) -> None:
        self._references = references
        self._seen: set[bytes] = set()
        self._from_outside = False

    def hold_behind(self, packet: Any) -> bool:
        """Take in the next packet; whether a decoder that begins with it knows all it needs."""
        if self._references is None:
            return False
        self._from_outside = self._from_outside or packet.has_sidedata("new_extradata")
        sets = self._references.parameter_sets(packet)
        self._seen.update(sets)
        return not self._from_outside and len(self._seen) == len(set(sets))


def _promised_seconds(container: InputContainer) -> float | None:
    """When the last stream ends, by the header; None where it does not say."""
    kinds = set(container.format.name.split(","))
    if not kinds & PROMISING or container.duration is None:
        return None
    # Microseconds. Matroska may count its duration from 0 or from a late start: the lower is what it promises.
    counted_from = 0 if "matroska" in kinds else container.start_time or 0
    return float(container.duration + counted_from) / 1_000_000


def _check_whole(video: Path, scan: PacketScan, promised: float | None) -> None:
    """A file that was cut off must not become a shorter video: compare with the time in its header."""
    if promised is None:
        return
    stamps = max(scan.pts, default=UNKNOWN), max(scan.dts, default=UNKNOWN)
    end_seconds = float((max(stamps) + scan.last_duration) * scan.time_base)
    if end_seconds < promised - SLACK_SECONDS:  # it may be another stream that is so long
        end_seconds = max(end_seconds, _end_of_all(video))
    if end_seconds < promised - SLACK_SECONDS:
        raise unreadable(video, f"it ends at {end_seconds:.2f} s, its header says {promised:.2f} s")


def _end_of_all(video: Path) -> float:
    """When the last packet of any stream ends, in seconds."""
    ends: dict[Fraction, int] = {}
    with open_video(video) as (container, _):
        for packet in read_packets(container, list(container.streams)):
            stamp = packet.dts if packet.pts is None else packet.pts
            if packet.size and stamp is not None and packet.time_base is not None:
                end = stamp + (packet.duration or 0)
                ends[packet.time_base] = max(end, ends.get(packet.time_base, end))
    return max((float(end * time_base) for time_base, end in ends.items()), default=0.0)


def _stated_rate(stream: VideoStream) -> Fraction:
    for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate):
        if rate:
            return Fraction(rate)
    return FALLBACK_RATE
