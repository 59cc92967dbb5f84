"""Extract: a video becomes a folder of JPEG frames with a sidecar that tells their rate."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.video.decoders import DECODERS
from mm2energon.video.index import Index, IndexMismatch, index_video
from mm2energon.video.jpeg import encode_jpeg
from mm2energon.video.layout import (
    SIDECAR_VERSION,
    Frames,
    Place,
    choose_place,
    find_frames,
    frame_places,
    our_frames,
    read_own_sidecar,
)
from mm2energon.video.picture import SIZE_FACTOR, fit_pixels, resize
from mm2energon.video.sampling import Choice, Sampling, choose
from mm2energon.video.streams import no_frames, require_file

#: Digits of a frame's file name; more when there are more frames.
NAME_DIGITS = 6

#: A work folder untouched for this long belongs to a process that died.
ABANDONED_SECONDS = 3600


@dataclass(frozen=True)
class FrameOptions:
    """How frames are made.

    Raises:
        InputError: a value is out of range.
    """

    sampling: Sampling
    #: Larger frames are made smaller, to sides that are multiples of 28; None keeps the size.
    max_pixels: int | None = None
    #: JPEG quality, 1 to 100.
    quality: int = 95
    #: A name in `DECODERS`.
    decoder: str = "pyav"

    def __post_init__(self) -> None:
        if self.decoder not in DECODERS:
            raise InputError(f"frames: decoder is {self.decoder!r}; expected one of {', '.join(DECODERS)}; choose one")
        if not 1 <= self.quality <= 100:
            raise InputError(f"frames: quality is {self.quality}; expected 1 to 100; give one, such as 95")
        if self.max_pixels is not None and self.max_pixels < SIZE_FACTOR**2:
            raise InputError(
                f"frames: max_pixels is {self.max_pixels}; expected {SIZE_FACTOR**2} or more (28 x 28); raise it"
            )


@dataclass(frozen=True)
class _Extracted:
    """What lies in the work folder when all frames are written."""

    index: Index
    choice: Choice
    size: tuple[int, int]


def extract_frames(video: Path, options: FrameOptions) -> Frames:
    """The frames of a video as JPEG files; nothing is done when they are there, made by the same options.

    Raises:
        MediaError: `missing-media`, `unreadable-video`, `no-frames`; `bad-sidecar` no free place beside the video.
    """
    require_file(video)
    done = _done(video, options)
    if done is not None:
        return done
    place = choose_place(video)
    # The size is taken before the first read: a file that grows meanwhile is found changed at the next run.
    source_bytes = video.stat().st_size
    with _work_folder(place) as folder:
        extracted = _extract(video, options, folder)
        _move_in(folder, place)
    sidecar = _sidecar(video, options, extracted) | {"source_bytes": source_bytes}
    _write_json(place.sidecar, sidecar)
    width, height = extracted.size
    times = tuple(sidecar["times"])
    return Frames(tuple(our_frames(place.folder)), extracted.choice.fps, times, width, height, place.sidecar)


def _done(video: Path, options: FrameOptions) -> Frames | None:
    """The frames that an earlier run made, when video and options are still the same."""
    for place in frame_places(video):
        sidecar = None if place is None else read_own_sidecar(place, video)
        if place is None or sidecar is None:
            continue
        fits = (
            sidecar["version"] == SIDECAR_VERSION
            and sidecar["options"] == asdict(options)
            and place.sidecar.stat().st_mtime_ns >= video.stat().st_mtime_ns
        )
        return find_frames(video) if fits else None
    return None


def _extract(video: Path, options: FrameOptions, folder: Path) -> _Extracted:
    """Index, choose, decode the wanted frames, encode them into `folder`."""
    index = index_video(video, decode=options.decoder != "pyav")
    try:
        return _write_frames(video, options, folder, index)
    except IndexMismatch:
        # The packets promised other frames than the decoder shows (leading pictures, hidden ones): ask the decoder.
        for path in our_frames(folder):
            path.unlink()
        return _write_frames(video, options, folder, index_video(video, decode=True))


def _write_frames(video: Path, options: FrameOptions, folder: Path, index: Index) -> _Extracted:
    choice = choose(index.times, index.duration_seconds, options.sampling, tolerance_seconds=index.tolerance_seconds)
    digits = max(NAME_DIGITS, len(str(len(choice.indices))))
    size: tuple[int, int] | None = None
    decode = DECODERS[options.decoder]
    for number, pixels in enumerate(decode(video, index, choice.indices), start=1):
        if size is None:  # later frames of another size are brought to that of the first
            size = fit_pixels(pixels.shape[1], pixels.shape[0], options.max_pixels)
        data = encode_jpeg(resize(pixels, size), quality=options.quality)
        (folder / f"{number:0{digits}d}.jpg").write_bytes(data)
    if size is None:
        raise no_frames(video, "its decoder hands over nothing")
    return _Extracted(index, choice, size)


def _sidecar(video: Path, options: FrameOptions, extracted: _Extracted) -> dict[str, Any]:
    index, choice = extracted.index, extracted.choice
    times = index.times[list(choice.indices)]
    return {
        "fps": str(choice.fps),
        "source": video.name,
        "source_fps": round(index.source_fps, 6),
        "duration_seconds": round(index.duration_seconds, 6),
        "start_seconds": round(index.start_seconds, 6),
        "width": extracted.size[0],
        "height": extracted.size[1],
        "times": [round(float(seconds), 6) for seconds in times],
        "options": asdict(options),
        "version": SIDECAR_VERSION,
    }


@contextmanager
def _work_folder(place: Place) -> Iterator[Path]:
    """A hidden folder beside the place, removed in the end, as are those that dead processes left."""
    parent = place.folder.with_name(f".{place.folder.name}.partial")
    parent.mkdir(exist_ok=True)
    for old in parent.iterdir():
        with suppress(FileNotFoundError):  # its owner may be removing it just now
            if time.time() - old.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # not empty: another process works beside this one
            parent.rmdir()


def _move_in(folder: Path, place: Place) -> None:
    """Put the new frames in the place of the old ones; without a sidecar meanwhile, so that they are unfinished."""
    place.sidecar.unlink(missing_ok=True)
    place.folder.mkdir(exist_ok=True)
    for stale in our_frames(place.folder):
        stale.unlink(missing_ok=True)
    for path in our_frames(folder):
        path.replace(place.folder / path.name)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON that appears whole or not at all."""
    work = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with work.open("w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    work.replace(path)
