"""Wanted: which frames of a video are on the screen at 0, interval, 2 * interval, ..., told from its packets."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Packet:
    """One packet of the video stream, in decoding order."""

    pts: int
    is_key: bool
    #: No other picture builds on this one, as its NAL header says.
    is_spare: bool


@dataclass(frozen=True)
class Wanted:
    """The frames that all contenders take."""

    packets: tuple[Packet, ...]
    #: Places among the shown frames, rising.
    ordinals: tuple[int, ...]
    pts: tuple[int, ...]


def wanted_frames(video: str, interval_seconds: float) -> Wanted:
    """Read the packets, and choose."""
    import av

    packets = []
    end = 0
    with av.open(video) as container:
        stream = main_stream(container)
        is_spare = spare_test(stream.codec_context.name, stream.codec_context.extradata or b"")
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None and not packet.is_discard:
                packets.append(Packet(packet.pts, packet.is_keyframe, is_spare(packet)))
                end = max(end, packet.pts + (packet.duration or 0))
        ticks = interval_seconds / float(stream.time_base or 1)
    shown = sorted(packet.pts for packet in packets)
    ordinals = []
    instant: float = shown[0]
    while instant < end - 1:
        ordinals.append(bisect_right(shown, instant + 0.5) - 1)
        instant = shown[0] + ticks * len(ordinals)
    distinct = sorted(set(ordinals))
    return Wanted(tuple(packets), tuple(distinct), tuple(shown[ordinal] for ordinal in distinct))


def main_stream(container: Any) -> Any:
    """The video stream that FFmpeg takes for the main one."""
    return container.streams.best("video")


def spare_test(codec: str, extradata: bytes) -> Any:
    """A function that says of a packet whether no other picture builds on it; never so where the codec is silent."""
    if codec == "h264" and extradata[:1] == b"\x01":
        return lambda packet: _is_spare_h264(bytes(packet), (extradata[4] & 3) + 1)
    if codec == "hevc" and extradata[:1] == b"\x01":
        return lambda packet: _is_spare_hevc(bytes(packet), (extradata[21] & 3) + 1)
    return lambda packet: False


def _is_spare_h264(data: bytes, size_bytes: int) -> bool:
    """nal_ref_idc of the first slice is 0 (H.264, 7.4.1)."""
    at = 0
    while at + size_bytes < len(data):
        header = data[at + size_bytes]
        if header & 31 in (1, 2, 5):
            return header >> 5 & 3 == 0
        at += size_bytes + int.from_bytes(data[at : at + size_bytes], "big")
    return False


def _is_spare_hevc(data: bytes, size_bytes: int) -> bool:
    """The first slice is of a sub-layer non-reference type: even, below 16 (H.265, table 7-1)."""
    at = 0
    while at + size_bytes < len(data):
        kind = data[at + size_bytes] >> 1 & 63
        if kind < 32:
            return kind < 16 and kind % 2 == 0
        at += size_bytes + int.from_bytes(data[at : at + size_bytes], "big")
    return False
