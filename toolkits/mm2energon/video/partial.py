"""Partial: the frames of a damaged video that come before the fault, the same as those of the video undamaged.

A decoder hands frames over in the order in which they are shown, and each is built on packets that it was fed before.
So what it hands over before it meets damage is how the undamaged video begins, but for frames that are built on one
that is shown behind them and was damaged unnoticed: the last ones wait until that one is there, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mm2energon.video.index import MOST_BETWEEN, Index, frames_due, index_decoded, is_between
from mm2energon.video.packets import PacketScan, packets_before_damage, scan_packets
from mm2energon.video.streams import no_frames, open_video

if TYPE_CHECKING:
    import av

#: The decoder stops at everything that it takes for damage, checksums (HEVC picture hashes) included.
_STRICT = {"err_detect": "crccheck+explode"}


def index_before_fault(video: Path) -> Index:
    """The index of the frames before the fault, but for the last of them, whose appearance is the end.

    How long that one would be shown is not known: the next frame may be lost.

    Raises:
        MediaError: `no-frames` none comes before the fault; `missing-media`, `unreadable-video`.
    """
    scan = scan_packets(video, whole=False)
    ticks = _undisturbed([frame.pts for frame in frames_before_fault(video)], scan)
    if not ticks:
        raise no_frames(video, "none of its frames comes before the damage")
    index = index_decoded(ticks, scan, dts=scan.shown_dts[: len(ticks)])
    kept = max(1, len(index) - 1)
    end = int(index.pts[kept]) if kept < len(index) else index.end
    return replace(index, pts=index.pts[:kept], end=end, is_partial=True)


def frames_before_fault(video: Path) -> Iterator[av.VideoFrame]:
    """The frames before the fault, in presentation order; of a file that is whole, all but the last ones."""
    waiting: deque[av.VideoFrame] = deque()
    for frame in _strictly_decoded(video):
        waiting.append(frame)
        while len(waiting) > 1 and (not is_between(frame) or len(waiting) > MOST_BETWEEN):
            yield waiting.popleft()


def _strictly_decoded(video: Path) -> Iterator[av.VideoFrame]:
    """What the decoder hands over before it tells of damage, and before it is told that nothing more comes."""
    import av

    begun = False
    with open_video(video) as (container, stream):
        stream.codec_context.options = {**stream.codec_context.options, **_STRICT}
        for packet in packets_before_damage(video, container, stream):
            if packet.size == 0:
                continue
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                if begun or packet.is_keyframe:
                    return
                continue  # a file may begin in mid-stream
            for frame in frames:
                if frame.is_corrupt:
                    return
                begun = True
                yield frame


def _undisturbed(pts: list[int | None], scan: PacketScan) -> list[int | None]:
    """The frames up to the first that is not the next one due, or, where that is not known, that goes back in time."""
    if not pts or not scan.stamped or scan.may_splice or None in pts:
        return pts
    ticks = np.asarray(pts, dtype=np.int64)
    due = frames_due(pts, scan)
    as_due = np.diff(ticks, prepend=ticks[0] - 1) > 0 if due is None else ticks[: due.size] == due[: ticks.size]
    return pts[: int(np.argmin(np.append(as_due, False)))]
