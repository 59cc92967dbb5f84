"""Places: where the frames of a video belong beside it, and who may write there.

Two places are ours to use: `video1/` with `video1.json`, and, where that is taken, `video1.mp4.frames/` with
`video1.mp4.frames.json`. A place is a video's when its sidecar says so. A folder without a sidecar is ours only while
it bears our mark: a hidden file that lies in it from before the first frame moves in until the sidecar is written.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mm2energon.errors import MediaError
from mm2energon.roots import read_regular

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".flv", ".f4v", ".wmv", ".asf"}
    | {".mpg", ".mpeg", ".mpe", ".m2v", ".vob", ".ts", ".mts", ".m2ts", ".mxf", ".ogv", ".ogm", ".rm", ".rmvb", ".dv"}
    | {".y4m", ".ivf", ".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".gif", ".apng"}
)
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

#: What mostly lies beside a video of the same stem and is none.
_COMPANION_SUFFIXES = PICTURE_SUFFIXES | {".txt", ".srt", ".vtt", ".ass", ".csv", ".tsv", ".xml", ".yaml", ".yml"} | {
    ".md", ".html", ".wav", ".mp3", ".flac", ".m4a", ".aac", ".ogg", ".opus", ".npy", ".npz", ".pt", ".pkl", ".zip"
} | {".json", ".jsonl", ".tar", ".gz"}  # fmt: skip

#: Digits of a frame's file name; more when there are more frames.
NAME_DIGITS = 6
_FRAME_NAME = re.compile(r"([0-9]{6,})\.jpg")

#: Keys that mark a sidecar as written here, together.
OWN_KEYS = frozenset({"fps", "source", "times", "options", "version"})

#: Name of the mark; it holds the numbers of frames that may lie around it, of the earlier frames and of the new ones.
MARK_NAME = ".mm2energon-unfinished"


@dataclass(frozen=True)
class Place:
    """A folder of frames and the sidecar beside it."""

    folder: Path
    sidecar: Path

    @property
    def mark(self) -> Path:
        """The file that says that the frames in the folder are ours and unfinished."""
        return self.folder / MARK_NAME


def frame_places(video: Path) -> tuple[Place | None, Place]:
    """The default place (None where the name allows none) and the one beside it that is the video's alone."""
    own = Place(video.with_name(f"{video.name}.frames"), video.with_name(f"{video.name}.frames.json"))
    if video.stem == video.name:
        return None, own
    return Place(video.with_name(video.stem), video.with_name(f"{video.stem}.json")), own


def frame_name(number: int, count: int) -> str:
    """The file name of frame `number`, from 1 up, of `count`."""
    return f"{number:0{max(NAME_DIGITS, len(str(count)))}d}.jpg"


@lru_cache(maxsize=64)  # the videos of a dataset mostly have like numbers of frames
def frame_names(count: int) -> tuple[str, ...]:
    """The file names of `count` frames."""
    return tuple(frame_name(number, count) for number in range(1, count + 1))


def is_frame(name: str, counts: frozenset[int]) -> bool:
    """Whether a file of that name is one of so many frames, for one of the `counts`."""
    match = _FRAME_NAME.fullmatch(name)
    number = int(match[1]) if match and len(name) < 24 else 0
    return any(1 <= number <= count and name == frame_name(number, count) for count in counts)


def choose_place(video: Path) -> Place:
    """The place for frames that are about to be written: where this video's are already, else a free one.

    Of the files that share a stem the first gets the default place, whatever the order of the work. A folder that is
    a symbolic link is never written to: what lies behind it is somebody else's.

    Raises:
        MediaError: `bad-sidecar` both places hold files that are not ours, or their names are too long.
    """
    default, own = frame_places(video)
    for place in (default, own):
        if place is not None and read_own_sidecar(place, video) is not None and not place.folder.is_symlink():
            return place
    if default is not None and _is_free(default) and _is_first(video):
        return default
    if not _is_free(own):
        raise MediaError(
            f"{video}: {own.folder} or {own.sidecar} holds what was not written here, or has too long a name; "
            "expected a free place for its frames; move it away, or rename the video",
            "bad-sidecar",
        )
    return own


def read_own_sidecar(place: Place, video: Path) -> dict[str, Any] | None:
    """The sidecar at `place` when it was written here for this very video, else None."""
    sidecar = load_sidecar(place.sidecar)
    if is_own(sidecar) and isinstance(sidecar["times"], list) and sidecar["source"] == video.name:
        return dict(sidecar)
    return None


def is_own(sidecar: Any) -> bool:
    """Whether a sidecar was written here, for whatever video."""
    return isinstance(sidecar, dict) and sidecar.keys() >= OWN_KEYS


def load_sidecar(sidecar: Path) -> Any:
    """The JSON of a sidecar; None when there is none, or it is not JSON.

    Raises:
        MediaError: `no-permission` we may not read it: it may say that the frames are ours.
    """
    try:
        return json.loads(read_regular(sidecar))
    except PermissionError as error:
        raise MediaError(
            f"{sidecar}: {error.strerror}; expected a file that is ours to read; change its mode, or remove it",
            "no-permission",
        ) from error
    except (OSError, ValueError, RecursionError):
        return None


def read_mark(place: Place) -> frozenset[int]:
    """How many frames may lie in the folder of a place that bears our mark; empty where it bears none."""
    try:
        return frozenset(int(count) for count in read_regular(place.mark).decode("ascii").split())
    except (OSError, ValueError):
        return frozenset()


def _is_free(place: Place) -> bool:
    """Nothing at the place but, at most, frames of ours that were being moved in when a run ended."""
    try:
        if place.sidecar.is_symlink() or place.sidecar.exists() or place.folder.is_symlink():
            return False
        if not place.folder.is_dir():
            return not place.folder.exists()
        unfinished = read_mark(place)
        return all(path.name.startswith(".") or is_frame(path.name, unfinished) for path in place.folder.iterdir())
    except OSError:  # a name that is too long, or a folder that we may not look into
        return False


def _is_first(video: Path) -> bool:
    """No other file of the folder shares the stem, in whatever case, and comes before this one."""
    folder, stem = video.parent.absolute(), fold_stem(video)
    if video.name not in _names_by_stem(folder).get(stem, ()):  # it came after the folder was listed
        _names_by_stem.cache_clear()
    names = _names_by_stem(folder).get(stem, ())
    return not any(_rank(name) < _rank(video.name) and video.with_name(name).is_file() for name in names)


def fold_stem(video: Path) -> str:
    """The stem of a name as a file system sees it that tells neither cases nor forms of Unicode apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", video.stem).casefold())


@lru_cache(maxsize=8)  # a folder may hold a hundred thousand videos, and each of them asks
def _names_by_stem(folder: Path) -> dict[str, tuple[str, ...]]:
    names: dict[str, tuple[str, ...]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                stem = fold_stem(Path(entry.name))
                names[stem] = (*names.get(stem, ()), entry.name)
    return names


def _rank(name: str) -> tuple[int, str, str]:
    """Order among files of one stem: known videos first, then what may be one, then what hardly is."""
    suffix = Path(name).suffix.lower()
    kind = 0 if suffix in VIDEO_SUFFIXES else 2 if suffix in _COMPANION_SUFFIXES else 1
    return kind, name.casefold(), name
