"""Space: what a run will need on the disk, told before it starts where there is less; nothing is refused for it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

from mm2energon.video.encode import FrameOptions

_LOG = logging.getLogger(__name__)
#: Bytes of JPEG frames at 1 per second, to a byte of video: 15 MB to 19 MB for a minute of H.264 at 720p, and less
#: where videos are coded with more bits.
_FRAMES_TO_VIDEO = 0.8
#: Bytes of a frame, where their number is given.
_FRAME_BYTES = 200_000


def warn_of_shards(output: Path, needed_bytes: int) -> None:
    """Warn when shards will not fit.

    Args:
        needed_bytes: what the plan says that they take at most, without those that are there already.
    """
    _warn(output, needed_bytes, f"{output}: the shards take up to")


def warn_of_frames(folder: Path, video_bytes: Mapping[str, int], options: FrameOptions) -> None:
    """Warn when frames may not fit, by the sizes of the videos: no video is opened here, where it could do harm."""
    sampling = options.sampling
    if sampling.num_frames is not None:
        needed = len(video_bytes) * sampling.num_frames * _FRAME_BYTES
    else:
        rate = 1 / sampling.interval_seconds if sampling.interval_seconds else sampling.fps or 1.0
        needed = round(sum(video_bytes.values()) * _FRAMES_TO_VIDEO * rate)
        if sampling.max_frames is not None:
            needed = min(needed, len(video_bytes) * sampling.max_frames * _FRAME_BYTES)
    _warn(folder, needed, f"{folder}: the frames may take, by a rough estimate,")


def _warn(folder: Path, needed_bytes: int, what: str) -> None:
    there = next(above for above in (folder, *folder.parents) if above.exists())
    free_bytes = shutil.disk_usage(there).free
    if needed_bytes > free_bytes:
        _LOG.warning(
            "warning: %s %s, and %s are free; a run that the disk stops goes on when the same command is run again",
            what,
            _shown(needed_bytes),
            _shown(free_bytes),
        )


def _shown(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.0f} MB"
