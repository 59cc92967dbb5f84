"""Extract: a video becomes a folder of JPEG frames with a sidecar that tells their rate."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.video.decoders import DECODERS
from mm2energon.video.index import Index, IndexMismatch, index_video
from mm2energon.video.jpeg import encode_picture
from mm2energon.video.layout import SIDECAR_VERSION, Frames, find_frames
from mm2energon.video.picture import SIZE_FACTOR, fit_pixels
from mm2energon.video.places import Place, choose_place, frame_name, frame_places, read_own_sidecar
from mm2energon.video.reach import plan_runs, share_out
from mm2energon.video.sampling import Choice, Sampling, choose
from mm2energon.video.streams import file_facts, no_frames
from mm2energon.video.workplace import move_in, sweep_leftovers, work_folder


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
    #: Bytes of each file.
    frame_bytes: tuple[int, ...]


def extract_frames(video: Path, options: FrameOptions, *, threads: int = 1) -> Frames:
    """The frames of a video as JPEG files; nothing is done when they are there, made by the same options.

    Args:
        threads: stretches of the video that are decoded at the same time, where its packets allow; the bytes are the
            same with any number.

    Raises:
        MediaError: `missing-media`, `unreadable-video`, `no-frames`; `bad-sidecar` no free place beside the video.
        OSError: the folder of the video cannot be written to, or is full.
    """
    file_facts(video)
    if (done := _done(video, options)) is not None:
        return done
    with work_folder(video) as folder:
        if (done := _done(video, options)) is not None:  # another process was at it, and we waited for it
            return done
        place = choose_place(video)
        # The size is taken before the first read: a file that grows meanwhile is found changed at the next run.
        source_bytes = file_facts(video).st_size
        extracted = _extract(video, options, folder, threads)
        sidecar = _sidecar(video, options, extracted) | {"source_bytes": source_bytes}
        move_in(folder, video, place, sidecar)
    count = len(sidecar["times"])
    return Frames(
        paths=tuple(place.folder / frame_name(number, count) for number in range(1, count + 1)),
        fps=extracted.choice.fps,
        times=tuple(sidecar["times"]),
        width=extracted.size[0],
        height=extracted.size[1],
        sidecar=place.sidecar,
    )


def _done(video: Path, options: FrameOptions) -> Frames | None:
    """The frames that an earlier run made, when video and options are still the same."""
    for place in frame_places(video):
        sidecar = None if place is None else read_own_sidecar(place, video)
        if place is None or sidecar is None:
            continue
        fits = sidecar["version"] == SIDECAR_VERSION and sidecar["options"] == asdict(options)
        found = find_frames(video) if fits and not _is_older(place, video) else None
        if found is not None:
            sweep_leftovers(video, place)
        return found
    return None


def _is_older(place: Place, video: Path) -> bool:
    try:
        return place.sidecar.stat().st_mtime_ns < file_facts(video).st_mtime_ns
    except FileNotFoundError:  # another process extracts anew, by other options
        return True


def _extract(video: Path, options: FrameOptions, folder: Path, threads: int) -> _Extracted:
    """Index, choose, decode the wanted frames, encode them into `folder`."""
    index = index_video(video, decode=options.decoder != "pyav")
    try:
        return _write_frames(video, options, folder, index, threads)
    except IndexMismatch:
        # The packets promised other frames than the decoder shows (leading pictures, hidden ones): ask the decoder.
        for path in list(folder.iterdir()):
            path.unlink()
        return _write_frames(video, options, folder, index_video(video, decode=True), 1)


def _write_frames(video: Path, options: FrameOptions, folder: Path, index: Index, threads: int) -> _Extracted:
    choice = choose(index.times, index.duration_seconds, options.sampling, tolerance_seconds=index.tolerance_seconds)
    size: tuple[int, int] | None = None

    def write(begin: int, ordinals: Sequence[int]) -> list[int]:
        nonlocal size
        written = []
        for number, picture in enumerate(DECODERS[options.decoder](video, index, ordinals), start=begin + 1):
            # Later frames of another size are brought to that of the first.
            size = size or fit_pixels(*picture.size, options.max_pixels)
            data = encode_picture(picture, size, quality=options.quality)
            (folder / frame_name(number, len(choice.indices))).write_bytes(data)
            written.append(len(data))
        return written

    parts = _parts(index, choice.indices, threads)
    if len(parts) == 1:
        frame_bytes = write(0, choice.indices)
    else:
        write(0, choice.indices[:1])  # so that all parts know the size
        begins = [0, *accumulate(map(len, parts))]
        with ThreadPoolExecutor(len(parts)) as pool:
            frame_bytes = list(chain.from_iterable(pool.map(write, begins, parts)))
    if size is None:
        raise no_frames(video, "its decoder hands over nothing")
    return _Extracted(index, choice, size, tuple(frame_bytes))


def _parts(index: Index, ordinals: Sequence[int], threads: int) -> list[Sequence[int]]:
    """The wanted frames in stretches that can be decoded at the same time, about as long each."""
    if threads == 1 or index.packets is None:
        return [ordinals]
    runs = plan_runs(index.packets, index.pts[list(ordinals)].tolist())
    ends = list(accumulate(sum(len(run.wanted) for run in row) for row in share_out(runs, threads)))
    return [ordinals[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


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
        "frame_bytes": list(extracted.frame_bytes),
        "options": asdict(options),
        "version": SIDECAR_VERSION,
    }
