"""Extract: a video becomes a folder of JPEG frames with a sidecar that tells their rate."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from mm2energon.stopwatch import Stopwatch
from mm2energon.video.encode import WHOLE_VIDEOS, Allowance, FrameOptions, encode_frames
from mm2energon.video.layout import SIDECAR_VERSION, Frames, find_frames
from mm2energon.video.places import Place, choose_place, frame_name, frame_names, frame_places, read_own_sidecar
from mm2energon.video.streams import file_facts
from mm2energon.video.workplace import move_in, sweep_leftovers, work_folder

__all__ = ["Allowance", "FrameOptions", "extract_frames", "frames_made"]


class _Folder:
    """Frames become files of their own in a work folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, _part: int, number: int, count: int, data: bytes) -> None:
        """Write a frame."""
        (self._folder / frame_name(number, count)).write_bytes(data)

    def clear(self) -> None:
        """Remove what was written."""
        for path in list(self._folder.iterdir()):
            path.unlink()


def extract_frames(
    video: Path,
    options: FrameOptions,
    *,
    threads: int = 1,
    watch: Stopwatch | None = None,
    allowance: Allowance = WHOLE_VIDEOS,
) -> Frames:
    """The frames of a video as JPEG files; nothing is done when they are there, made by the same options.

    Args:
        threads, watch, allowance: as of `encode_frames`.

    Raises:
        MediaError: as `encode_frames`; `bad-sidecar` no free place beside the video.
        OSError: the folder of the video cannot be written to, or is full.
    """
    file_facts(video)
    watch = watch or Stopwatch()
    if (done := frames_made(video, options, allowance)) is not None:
        return done
    with work_folder(video) as folder:
        if (
            done := frames_made(video, options, allowance)
        ) is not None:  # another process was at it, and we waited for it
            return done
        place = choose_place(video)
        # The size is taken before the first read: a file that grows meanwhile is found changed at the next run.
        source_bytes = file_facts(video).st_size
        encoded = encode_frames(video, options, _Folder(folder), threads=threads, watch=watch, allowance=allowance)
        sidecar = encoded.sidecar(video, options) | {"source_bytes": source_bytes}
        with watch.time("write"):
            move_in(folder, video, place, sidecar)
    return Frames(
        folder=place.folder,
        names=frame_names(len(encoded.frame_bytes)),
        fps=encoded.choice.fps,
        times=tuple(sidecar["times"]),
        width=encoded.size[0],
        height=encoded.size[1],
        sidecar=place.sidecar,
        partial=encoded.partial,
    )


def frames_made(video: Path, options: FrameOptions, allowance: Allowance) -> Frames | None:
    """The frames that an earlier run made, when video and options are still the same; the video is not opened."""
    for place in frame_places(video):
        sidecar = None if place is None else read_own_sidecar(place, video)
        if place is None or sidecar is None:
            continue
        fits = sidecar["version"] == SIDECAR_VERSION and sidecar["options"] == asdict(options)
        fits = fits and (allowance.keep_partial or sidecar.get("partial") is None)
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
