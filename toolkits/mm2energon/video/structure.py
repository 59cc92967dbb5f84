"""Structure: whether the units of a container stand one behind the other, from the beginning to the end.

FFmpeg looks for the next unit behind damage and goes on there: what lay between is gone without a word, and the video
is shorter. Here the headers alone are read, on their own. What cannot be known: damage inside a frame, where the
container has no checksum; and packets of a transport stream that a broadcast lost. MP4 files with one list of all
frames are held to that list.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

from mm2energon.video.structure_avi import walk_avi
from mm2energon.video.structure_flv import walk_flv
from mm2energon.video.structure_matroska import walk_matroska
from mm2energon.video.structure_mp4 import walk_mp4
from mm2energon.video.structure_ogg import walk_ogg
from mm2energon.video.structure_ps import walk_ps
from mm2energon.video.structure_ts import walk_ts

#: Bytes read at a time; headers that lie closer together than that cost no call into the system.
BUFFER_BYTES = 1 << 16

#: Walks over a file of so many bytes; what it finds is the byte where the damage begins, and what is wrong there.
Walk = Callable[[IO[bytes], int], "tuple[int, str] | None"]

#: By the name of the format, as FFmpeg says it.
WALKS: dict[str, Walk] = {
    "matroska,webm": walk_matroska,
    "avi": walk_avi,
    "flv": walk_flv,
    "ogg": walk_ogg,
    "mov,mp4,m4a,3gp,3g2,mj2": walk_mp4,
    "mpegts": walk_ts,
    "mpeg": walk_ps,
}


class Damage(NamedTuple):
    """Where the units of a container stop to fit: at the first that may be damaged itself, or lacks what follows it."""

    at: int
    why: str

    def __str__(self) -> str:
        return f"its container is damaged at byte {self.at} ({self.why})"


def find_damage(video: Path, container: str) -> Damage | None:
    """The first place of a video file where its units do not fit; None when all do, or nothing can be told.

    The file is read, not mapped: the memory limit of a worker also counts what is mapped.

    Args:
        container: the name of the format, as FFmpeg says it.
    """
    walk = WALKS.get(container)
    if walk is None:
        return None
    with video.open("rb", buffering=BUFFER_BYTES) as file:
        found = walk(file, video.stat().st_size)
    return None if found is None else Damage(*found)
