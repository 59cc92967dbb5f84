"""Layout: where the frames of a video lie, and what the sidecar beside them says.

    path/to/video1.mp4
    path/to/video1/000001.jpg, 000002.jpg, ...
    path/to/video1.json     {"fps": "2.0", "source": "video1.mp4", "times": [0.0, 0.5], ...}

Where that place is taken (by `video1.mkv`, or by files that are not ours) the frames lie in `video1.mp4.frames/` with
`video1.mp4.frames.json` beside it. The sidecar is written last: frames without it are unfinished.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

from mm2energon.errors import MediaError

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".flv", ".f4v", ".wmv", ".asf"}
    | {".mpg", ".mpeg", ".mpe", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".mxf", ".ogv", ".ogm", ".rm", ".rmvb", ".dv"}
    | {".y4m", ".ivf", ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".gif", ".apng"}
)
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

#: Names that our frames have; a folder with any other file in it is somebody else's.
OUR_NAME = re.compile(r"^\d{6,}\.jpg$")

#: Keys that mark a sidecar as written here, together.
OWN_KEYS = frozenset({"fps", "source", "times", "options", "version"})
SIDECAR_VERSION = 1


@dataclass(frozen=True)
class Place:
    """A folder of frames and the sidecar beside it."""

    folder: Path
    sidecar: Path


@dataclass(frozen=True)
class Frames:
    """The extracted frames of one video, in time order."""

    paths: tuple[Path, ...]
    #: True rate of the extracted frames.
    fps: float
    #: Seconds since the first shown frame of the video, one per path; None when other tools made the frames.
    times: tuple[float, ...] | None
    #: Size of the frames; 0 when unknown.
    width: int
    height: int
    sidecar: Path | None


def frame_places(video: Path) -> tuple[Place | None, Place]:
    """The default place (None where the name allows none) and the one beside it that is the video's alone."""
    own = Place(video.with_name(f"{video.name}.frames"), video.with_name(f"{video.name}.frames.json"))
    if video.stem == video.name:
        return None, own
    return Place(video.with_name(video.stem), video.with_name(f"{video.stem}.json")), own


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


def choose_place(video: Path) -> Place:
    """The place for frames that are about to be written: where this video's are already, else a free one.

    Of the videos that share a stem the first by name gets the default place, whatever the order of the work.

    Raises:
        MediaError: `bad-sidecar` both places hold files that are not ours.
    """
    default, own = frame_places(video)
    for place in (default, own):
        if place is not None and read_own_sidecar(place, video) is not None:
            return place
    if default is not None and _is_free(default) and _is_first(video):
        return default
    if not _is_free(own):
        raise MediaError(
            f"{video}: {own.folder} or {own.sidecar} holds what was not written here; "
            "expected a free place for its frames; move it away",
            "bad-sidecar",
        )
    return own


def read_own_sidecar(place: Place, video: Path) -> dict[str, Any] | None:
    """The sidecar at `place` when it was written here for this very video, else None."""
    sidecar = _load(place.sidecar)
    if isinstance(sidecar, dict) and sidecar.keys() >= OWN_KEYS and sidecar["source"] == video.name:
        return sidecar
    return None


def our_frames(folder: Path) -> list[Path]:
    """The files in `folder` that carry our names, in time order; none when there is no such folder."""
    return [path for path in _visible_files(folder) if OUR_NAME.match(path.name)]


def _own_frames(video: Path, place: Place, sidecar: Mapping[str, Any]) -> Frames | None:
    fps = _read_fps(place.sidecar, sidecar)
    times = sidecar["times"]
    paths = our_frames(place.folder)
    if not isinstance(times, list) or len(paths) != len(times) or not paths:
        if not paths and not video.exists():
            raise _no_pictures(place)
        return None
    if video.exists() and sidecar.get("source_bytes") != video.stat().st_size:
        return None  # the frames of an earlier file of that name
    return Frames(
        paths=tuple(paths),
        fps=fps,
        times=tuple(float(time) for time in times),
        width=_side(sidecar, "width"),
        height=_side(sidecar, "height"),
        sidecar=place.sidecar,
    )


def _foreign_frames(video: Path, place: Place, default_fps: float | None) -> Frames | None:
    """Frames that other tools made, at the default place."""
    has_sidecar = place.sidecar.is_file()
    if has_sidecar and _is_own(_load(place.sidecar)):
        return None  # another video's
    if not place.folder.is_dir() and (not has_sidecar or video.exists()):
        return None  # no frames; a JSON of that name may be anything
    pictures = [path for path in _visible_files(place.folder) if path.suffix.lower() in PICTURE_SUFFIXES]
    if has_sidecar:
        fps = _read_fps(place.sidecar, _load(place.sidecar))
        if not pictures:
            raise _no_pictures(place)
        return Frames(tuple(pictures), fps, None, 0, 0, place.sidecar)
    if not pictures or video.exists():
        return None
    if default_fps is None:
        raise MediaError(
            f"{place.folder}: {len(pictures)} pictures, but no {place.sidecar.name} beside the folder and no "
            f'{video.name}; expected one of them; write {{"fps": "2.0"}} there, or give a default rate',
            "unfinished-frames",
        )
    return Frames(tuple(pictures), default_fps, None, 0, 0, None)


def _is_free(place: Place) -> bool:
    """Nothing at the place but, at most, frames of ours that no sidecar claims."""
    return not place.sidecar.exists() and _all_ours(place.folder)


def _all_ours(folder: Path) -> bool:
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    return all(path.name.startswith(".") or (OUR_NAME.match(path.name) and path.is_file()) for path in folder.iterdir())


def _is_first(video: Path) -> bool:
    """No other video of the folder shares the stem and comes before this one by name."""
    names = {video.stem + variant for suffix in VIDEO_SUFFIXES for variant in (suffix, suffix.upper())}
    return not any(name < video.name and video.with_name(name).is_file() for name in names)


def _visible_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    paths = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    return sorted(paths, key=lambda path: path.name)


def _is_own(sidecar: object) -> bool:
    return isinstance(sidecar, dict) and sidecar.keys() >= OWN_KEYS


def _load(sidecar: Path) -> Any:
    """The JSON of a sidecar; None when there is none, or it is not JSON."""
    try:
        return json.loads(sidecar.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _read_fps(path: Path, sidecar: object) -> float:
    value = sidecar.get("fps") if isinstance(sidecar, dict) else None
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise ValueError
        fps = float(Fraction(value)) if isinstance(value, str) else float(value)
        if not (isfinite(fps) and fps > 0):
            raise ValueError
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        found = f"fps is {value!r}" if isinstance(sidecar, dict) else "it is not a JSON object"
        raise MediaError(
            f'{path}: {found}; expected {{"fps": "2.0"}}, a positive number; mend it, or remove it to extract anew',
            "bad-sidecar",
        ) from error
    return fps


def _no_pictures(place: Place) -> MediaError:
    return MediaError(
        f"{place.folder}: no picture, though {place.sidecar.name} is there; expected frames; "
        "remove the JSON, or bring back the frames",
        "no-frames",
    )


def _side(sidecar: Mapping[str, Any], name: str) -> int:
    value = sidecar.get(name)
    return value if isinstance(value, int) else 0
