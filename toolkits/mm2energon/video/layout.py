"""Layout: where the frames of a video lie, and what the sidecar beside them says.

    path/to/video1.mp4
    path/to/video1/000001.jpg, 000002.jpg, ...
    path/to/video1.json     {"fps": "2.0", "source": "video1.mp4", "times": [0.0, 0.5], ...}

Where that place is taken (by `video1.mkv`, or by files that are not ours) the frames lie in `video1.mp4.frames/` with
`video1.mp4.frames.json` beside it. The sidecar is written last: frames without it are unfinished, as are frames that
have not the sizes that it states.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from mm2energon.errors import MediaError
from mm2energon.video.places import (
    PICTURE_SUFFIXES,
    Place,
    frame_names,
    frame_places,
    is_own,
    load_sidecar,
    read_mark,
    read_own_sidecar,
)

SIDECAR_VERSION = 1


#: A name with one number in it: `frame_12.jpg`.
_NUMBERED = re.compile(r"(\D*)(\d{1,18})(\D*)")


@dataclass(frozen=True)
class Frames:
    """The extracted frames of one video, in time order."""

    #: The folder that they lie in, and their names there.
    folder: Path
    names: tuple[str, ...]
    #: True rate of the extracted frames.
    fps: float
    #: Seconds since the first shown frame of the video, one per path; None when other tools made the frames.
    times: tuple[float, ...] | None
    #: Size of the frames; 0 when unknown.
    width: int
    height: int
    sidecar: Path | None
    #: Bytes of each, of frames of ours.
    sizes: tuple[int, ...] | None = field(default=None, compare=False)
    #: What is wrong with the video, of which these are the frames before the fault; None: they are of all of it.
    partial: str | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, one by one."""
        return tuple(self.folder / name for name in self.names)


def find_frames(video: Path, *, default_fps: float | None = None) -> Frames | None:
    """The finished frames of a video, ours or other tools'; None when there are none, or unfinished ones.

    The video itself need not be there. Frames that other tools made are a folder of pictures, all of them, in
    file-name order, with a sidecar that holds at least `fps`.

    Args:
        default_fps: the rate of frames that lie there without a sidecar when the video is gone.

    Raises:
        MediaError: `bad-sidecar` not JSON, or no usable fps; `no-frames` a sidecar, but no picture;
            `unfinished-frames` pictures, but neither a sidecar, nor the video, nor a default rate.
    """
    default, own = frame_places(video)
    for place in (default, own):
        if place is not None and (sidecar := read_own_sidecar(place, video)) is not None:
            return _own_frames(video, place, sidecar)
    return None if default is None else _foreign_frames(video, default, default_fps)


def _own_frames(video: Path, place: Place, sidecar: Mapping[str, Any]) -> Frames | None:
    fps = _read_fps(place.sidecar, sidecar)
    times = sidecar["times"]
    names = frame_names(len(times))
    folder = os.path.join(place.folder, "")  # noqa: PTH118 (strings: of a Path, each frame takes three times as long)
    found = [_file_bytes(folder + name) for name in names]
    video_bytes = _file_bytes(video)
    if not any(found):
        if video_bytes is None:
            raise _no_pictures(place)
        return None
    # Sidecars of earlier versions do not state the sizes; then a frame must at least not be empty.
    if not all(found) or found != sidecar.get("frame_bytes", found):
        return None
    if video_bytes is not None and sidecar.get("source_bytes") != video_bytes:
        return None  # the frames of an earlier file of that name
    return Frames(
        folder=place.folder,
        names=names,
        fps=fps,
        times=_read_times(place.sidecar, times),
        width=_side(sidecar, "width"),
        height=_side(sidecar, "height"),
        sidecar=place.sidecar,
        sizes=tuple(size for size in found if size is not None),
        partial=sidecar.get("partial"),
    )


def _foreign_frames(video: Path, place: Place, default_fps: float | None) -> Frames | None:
    """Frames that other tools made, at the default place."""
    has_sidecar, has_video = _file_bytes(place.sidecar) is not None, _file_bytes(video) is not None
    if has_sidecar and is_own(load_sidecar(place.sidecar)):
        return None  # another video's, or unfinished
    if not _is_folder(place.folder) and (not has_sidecar or has_video):
        return None  # no frames; a JSON of that name may be anything
    pictures = [path for path in _visible_files(place.folder) if path.suffix.lower() in PICTURE_SUFFIXES]
    if has_sidecar:
        fps = _read_fps(place.sidecar, load_sidecar(place.sidecar))
        if not pictures:
            raise _no_pictures(place)
        return Frames(place.folder, tuple(path.name for path in pictures), fps, None, 0, 0, place.sidecar)
    if not pictures or has_video:
        return None
    if default_fps is None or read_mark(place):  # marked: a run was cut off while it moved them in
        raise MediaError(
            f"{place.folder}: {len(pictures)} pictures, but no {place.sidecar.name} beside the folder and no "
            f'{video.name}; expected one of them; write {{"fps": "2.0"}} there, or give a default rate',
            "unfinished-frames",
        )
    return Frames(place.folder, tuple(path.name for path in pictures), default_fps, None, 0, 0, None)


def _visible_files(folder: Path) -> list[Path]:
    if not _is_folder(folder):
        return []
    paths = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    return in_time_order(paths)


def in_time_order(paths: list[Path]) -> list[Path]:
    """Pictures by name; by number where the names are the same but for one that lacks leading zeros (2 before 10)."""
    numbered = [_NUMBERED.fullmatch(path.name) for path in paths]
    if len({(match[1], match[3]) for match in numbered if match}) == 1 and all(numbered):
        return sorted(paths, key=lambda path: (int(_NUMBERED.fullmatch(path.name)[2]), path.name))  # type: ignore[index]
    return sorted(paths, key=lambda path: path.name)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # too long a name
        return False


def _file_bytes(path: Path | str) -> int | None:
    """The size of a file; None when there is no such file, or it cannot even be asked for (too long a name)."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _read_fps(path: Path, sidecar: object) -> float:
    value = sidecar.get("fps") if isinstance(sidecar, dict) else None
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        fps = _number(value) if isinstance(value, str) else float(value)
        if not (isfinite(fps) and fps > 0):
            raise ValueError
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        found = f"fps is {value!r}" if isinstance(sidecar, dict) else "it is not a JSON object"
        raise MediaError(
            f'{path}: {found}; expected {{"fps": "2.0"}}, a positive number; mend it, or remove it to extract anew',
            "bad-sidecar",
        ) from error
    return fps


def _read_times(path: Path, times: list[Any]) -> tuple[float, ...]:
    try:
        return tuple(map(float, times))
    except (TypeError, ValueError, OverflowError) as error:
        raise MediaError(
            f"{path}: its times are no numbers ({error}); seconds were expected; remove it to extract anew",
            "bad-sidecar",
        ) from error


def _number(text: str) -> float:
    """`2.0` or `30000/1001`."""
    above, slash, below = text.partition("/")
    return float(above) / float(below) if slash else float(text)


def _no_pictures(place: Place) -> MediaError:
    return MediaError(
        f"{place.folder}: no picture, though {place.sidecar.name} is there; expected frames; "
        "remove the JSON, or bring back the frames",
        "no-frames",
    )


def _side(sidecar: Mapping[str, Any], name: str) -> int:
    value = sidecar.get(name)
    return value if isinstance(value, int) else 0
