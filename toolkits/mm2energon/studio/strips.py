"""Strips: the frames of a video that training sees, where they lie, and what is known of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mm2energon.errors import MediaError
from mm2energon.pipeline.extract import VideoUnit
from mm2energon.pipeline.record_content import Content
from mm2energon.roots import inside_root, media_file, open_inside, open_regular
from mm2energon.targets import Target
from mm2energon.video.encode import Allowance, FrameOptions
from mm2energon.video.layout import Frames, find_frames
from mm2energon.video.pack import Packs, holds_frames
from mm2energon.video.places import load_sidecar
from mm2energon.video.sampling import Sampling

#: Frames of one video that are decoded for a page at most.
MOST_FRAMES = 5000
#: What trainers take for the rate of a list of frames.
_LISTED_FPS = 2.0
_FPS_TOLERANCE = 0.01


@dataclass(frozen=True)
class Strip:
    """The frames of one video, in time order."""

    fps: float
    #: `extracted`: beside the video; `decoded`: here, as `mm2energon frames` would; `listed`: by the entry; `shard`.
    source: str
    #: Seconds since the first shown frame.
    times: tuple[float, ...]
    #: Pixels; 0 when not known.
    width: int = 0
    height: int = 0
    message: str = ""
    #: Where they lie: files, paths relative to the root; a stretch each of one file; or bytes.
    files: tuple[str, ...] = ()
    pack: Path | None = None
    sizes: tuple[int, ...] = ()
    pictures: tuple[bytes, ...] = ()

    def for_target(self, target: Target) -> Strip:
        """With what the target's reader makes of them said."""
        if not target.cuts_odd_frame or len(self.times) % 2 == 0 or len(self.times) == 1:
            return self
        note = f"{target.name} takes an even number of frames: the last one is cut"
        return replace(self, message="; ".join(filter(None, (self.message, note))))


def options_for(interval_seconds: float) -> FrameOptions:
    """How `mm2energon frames` makes frames, at that interval."""
    return FrameOptions(sampling=Sampling(interval_seconds=interval_seconds))


def packs_for(cache: Path, root: Path, options: FrameOptions) -> Packs:
    """Where frames that are decoded here lie: for each root, and each way to make them, in a folder of its own."""
    about = json.dumps([str(root), asdict(options)], default=str)
    name = hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return Packs(root, cache / "frames" / name, options, Allowance(max_frames=MOST_FRAMES))


def unit_for(packs: Packs, video: str) -> VideoUnit:
    """The work that decodes a video into its pack."""
    return VideoUnit(packs.root, video, packs.options, packs=packs, allowance=packs.allowance)


def listed(video: tuple[str, ...]) -> Strip:
    """A video that an entry lists as its frames."""
    times = tuple(round(number / _LISTED_FPS, 6) for number in range(len(video)))
    return Strip(_LISTED_FPS, "listed", times, files=video, message="trainers take listed frames for 2 a second")


def extracted(
    root: Path, video: str, interval: float | None, *, origin: str, further: tuple[Path, ...]
) -> Strip | None:
    """The frames that lie beside a video; None where there are none, or not at that interval.

    Args:
        interval: seconds between frames that are asked for; None: whatever lies there, for that is what training takes.

    Raises:
        MediaError: they cannot be used, or lie outside of the roots.
    """
    found = find_frames(root / video)
    if found is None or (interval is not None and not _fits(found, interval)):
        return None
    folder = inside_root(root, str(found.folder), origin=origin, further=further)
    times = found.times or tuple(round(number / found.fps, 6) for number in range(len(found.names)))
    return Strip(
        found.fps,
        "extracted",
        times,
        found.width,
        found.height,
        message=f"the video is damaged: {found.partial}" if found.partial else "",
        files=tuple(f"{folder}/{name}" for name in found.names),
    )


def packed(packs: Packs, video: str) -> Strip | None:
    """The frames that were decoded here; None where they were not yet, or the video has changed since."""
    about, pack = packs.read(video), packs.pack_of(video)
    if about is None or not holds_frames(pack, about):
        return None
    return Strip(
        float(about["fps"]),
        "decoded",
        tuple(about["times"]),
        about["width"],
        about["height"],
        pack=pack.with_name(f"{pack.name}.jpegs"),
        sizes=tuple(about["frame_bytes"]),
    )


def of_record(content: Content, index: int, frames_of_grid: float) -> Strip | None:
    """The frames of a video of a shard; None where there is no such video."""
    if index >= len(content.videos):
        return None
    grids = content.text.get("second_per_grid_ts")
    grid: Any = grids[index] if isinstance(grids, list) and index < len(grids) else None
    known = isinstance(grid, int | float) and not isinstance(grid, bool) and 1e-6 < grid < 1e6
    fps, pictures = frames_of_grid / grid if known else _LISTED_FPS, tuple(content.videos[index])
    times = tuple(round(number / fps, 6) for number in range(len(pictures)))
    return Strip(fps, "shard", times, pictures=pictures, message="" if known else "the record does not say its rate")


def picture_of(strip: Strip, number: int, root: Path, *, origin: str, further: tuple[Path, ...]) -> bytes:
    """The encoded frame of that number, from 0.

    Raises:
        MediaError: it is gone, or lies outside of the roots.
    """
    if strip.pictures:
        return strip.pictures[number]
    try:
        if strip.pack is None:
            path = media_file(root, strip.files[number], origin=origin, further=further)
            with open_inside(path, [root, *further]) as file:
                return file.read()
        with open_regular(strip.pack) as file:
            file.seek(sum(strip.sizes[:number]))
            return file.read(strip.sizes[number])
    except OSError as error:
        raise MediaError(f"{origin}: frame {number} cannot be read ({error.strerror})", "no-frames") from error


def _fits(found: Frames, interval: float) -> bool:
    sidecar = None if found.sidecar is None else load_sidecar(found.sidecar)
    options = sidecar.get("options") if isinstance(sidecar, dict) else None
    sampling = options.get("sampling") if isinstance(options, dict) else None
    if isinstance(sampling, dict):
        return bool(sampling.get("interval_seconds") == interval)
    return abs(found.fps * interval - 1) <= _FPS_TOLERANCE
