"""Runs: decoding no more of a video than its wanted frames need, and the same frames as by decoding all of it.

What is passed over: packets behind the last wanted frame of a group of pictures, whole groups without a wanted frame
(by a seek, where the container can), and pictures that no other one refers to. Each frame that comes out is held
against the packets that went in; where they differ, or the decoder stumbles, the caller is to decode everything.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from mm2energon.video.index import IndexMismatch
from mm2energon.video.reach import PacketOrder, Run, plan_runs
from mm2energon.video.references import References, read_references
from mm2energon.video.streams import drop_others, open_video, read_packets

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

#: Packets that are sooner read than sought over: a seek costs about as much.
SEEK_PACKETS = 50


class _LandedBeyond(Exception):  # noqa: N818 - a signal
    """A seek came out behind the packet that was sought."""


def decode_needed(video: Path, order: PacketOrder, wanted: Sequence[int]) -> Iterator[av.VideoFrame]:
    """The frames shown at the ticks `wanted`, which rise.

    Raises:
        IndexMismatch: the decoder does not show what the packets promise.
        MediaError: `unreadable-video`, `missing-media`.
    """
    import av

    runs = plan_runs(order, wanted)
    can_seek = order.seek_ticks is not None
    while runs:
        with open_video(video) as (container, stream):
            reader = _Reader(container, stream, order, can_seek=can_seek)
            references = read_references(stream.codec_context)
            try:
                while runs:
                    yield from _decode_run(reader, references, runs[0])
                    del runs[0]
            except _LandedBeyond:
                can_seek = False
            except av.error.InvalidDataError as error:
                raise IndexMismatch from error


def _decode_run(reader: _Reader, references: References | None, run: Run) -> Iterator[av.VideoFrame]:
    """The wanted frames of a run."""
    wanted = frozenset(run.wanted)
    decoder = reader.stream.codec_context
    shown = _ShownInOrder(wanted)
    for packet in reader.packets(run):
        if packet.pts not in wanted and references is not None and references.is_unreferenced(packet):
            continue
        if packet.pts is not None and not packet.is_discard:
            shown.fed(packet.pts)
        yield from (frame for frame in decoder.decode(packet) if shown.passes(frame))
    yield from (frame for frame in decoder.decode(None) if shown.passes(frame))
    shown.end()
    decoder.flush_buffers()


class _ShownInOrder:
    """Holds the frames that a decoder shows against the packets that it was fed, and picks the wanted ones."""

    def __init__(self, wanted: frozenset[int]) -> None:
        self._left = set(wanted)
        self._due: list[int] = []
        self._last: int | None = None
        self._damaged = False

    def fed(self, ticks: int) -> None:
        """Note a packet whose frame is to be shown."""
        heapq.heappush(self._due, ticks)

    def passes(self, frame: av.VideoFrame) -> bool:
        """Whether a frame is wanted; it must be the next one due, and whole.

        Raises:
            IndexMismatch: it is not.
        """
        due = heapq.heappop(self._due) if self._due else None
        # What a decoder has patched up spoils the frames that build on it, up to the next key frame.
        self._damaged = frame.is_corrupt or (self._damaged and not frame.key_frame)
        if due is None or frame.pts != due or self._damaged or (self._last is not None and due <= self._last):
            raise IndexMismatch
        self._last = due
        is_wanted = due in self._left
        self._left.discard(due)
        return is_wanted

    def end(self) -> None:
        """Nothing more comes.

        Raises:
            IndexMismatch: a frame is still due.
        """
        if self._due or self._left:
            raise IndexMismatch


class _Reader:
    """Reads stretches of packets, each behind the one before."""

    def __init__(self, container: InputContainer, stream: VideoStream, order: PacketOrder, *, can_seek: bool) -> None:
        self.stream = stream
        self._container = container
        self._order = order
        self._can_seek = can_seek
        self._entries = frozenset(order.entries.tolist())
        drop_others(container, stream)
        self._packets = read_packets(container, [stream])
        self._next = 0

    def packets(self, run: Run) -> Iterator[av.Packet[VideoStream]]:
        """The packets of a run, but for the pictures that lead its first one.

        Leading pictures need what stands before; nothing behind their key frame needs them.

        Raises:
            _LandedBeyond: seeking does not help with this file.
            IndexMismatch: the file has become shorter.
        """
        begin = int(self._order.pts[run.first]) if run.first in self._entries else None
        if self._can_seek and self._order.seek_ticks is not None and run.first - self._next > SEEK_PACKETS:
            self._seek(run.first, int(self._order.seek_ticks[run.first]))
        for packet in self._packets:
            if packet.size == 0:
                continue
            place, self._next = self._next, self._next + 1
            if place >= run.first and (begin is None or packet.pts >= begin):
                yield packet
            if place == run.last:
                return
        raise IndexMismatch

    def _seek(self, place: int, ticks: int) -> None:
        """Go to a packet, or to one before it."""
        import av

        try:
            self._container.seek(ticks, stream=self.stream)
            packets = read_packets(self._container, [self.stream])
            first = next(packet for packet in packets if packet.size)
        except (av.error.FFmpegError, StopIteration) as error:
            raise _LandedBeyond from error
        landed = int(self._order.place_of([first.pts])[0])
        if landed > place or self._order.pts[landed] != first.pts:
            raise _LandedBeyond
        self._packets = chain([first], packets)
        self._next = landed
