"""Scale: how much data is made, and how often a contender runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Clip:
    """A video to be made: `bitrate` in kbit/s, `gop` in frames (None: the encoder's own)."""

    name: str
    codec: str
    width: int
    height: int
    fps: int
    seconds: int
    bitrate: int
    gop: int | None = None
    #: A long video is this many copies of the clip one after another, with sound; their length divides no interval, so
    #: that wanted frames are no key frames by design.
    copies: int = 1

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.name}.{'webm' if self.codec == 'vp9' else 'mp4'}"

    @property
    def minutes(self) -> float:
        """How long the video is."""
        return self.seconds * self.copies / 60


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    name: str
    clips: tuple[Clip, ...]
    long_clips: tuple[Clip, ...]
    images: int
    #: Extracted videos of 20 frames each.
    frame_videos: int
    entries: int
    growth_videos: tuple[int, ...]
    growth_samples: tuple[int, ...]
    intervals: tuple[float, ...] = (0.5, 1.0, 5.0)
    long_interval: float = 30.0
    repeats: int = 5
    #: Length of the recorded conversation.
    talk_minutes: float = 10


FULL = Scale(
    name="full",
    clips=(
        Clip("h264-360p", "h264", 640, 360, 30, 60, 900),
        Clip("h264-720p", "h264", 1280, 720, 30, 30, 2500),
        Clip("h264-1080p", "h264", 1920, 1080, 30, 20, 5000),
        Clip("h264-720p-short-gop", "h264", 1280, 720, 25, 20, 2800, 30),
        Clip("h264-1080p-60fps-short-gop", "h264", 1920, 1080, 60, 10, 8000, 120),
        Clip("hevc-720p", "hevc", 1280, 720, 30, 20, 1600),
        Clip("hevc-1080p", "hevc", 1920, 1080, 25, 10, 3500),
        Clip("vp9-360p", "vp9", 640, 360, 30, 30, 600),
        Clip("vp9-720p", "vp9", 1280, 720, 30, 20, 1800),
        Clip("av1-720p", "av1", 1280, 720, 30, 20, 1500),
    ),
    long_clips=(
        Clip("long-720p", "h264", 1280, 720, 30, 47, 2500, copies=13),
        Clip("long-360p", "h264", 640, 360, 30, 101, 900, copies=12),
        Clip("long-720p-short-gop", "h264", 1280, 720, 30, 47, 2500, 60, copies=13),
    ),
    images=5000,
    frame_videos=600,
    entries=1_000_000,
    growth_videos=(10, 100, 1000),
    growth_samples=(1000, 10_000, 100_000, 1_000_000),
)

QUICK = Scale(
    name="quick",
    clips=(
        Clip("h264-360p", "h264", 640, 360, 30, 10, 900),
        Clip("h264-720p", "h264", 1280, 720, 30, 10, 2500),
        Clip("hevc-360p", "hevc", 640, 360, 30, 10, 600),
        Clip("av1-360p", "av1", 640, 360, 30, 10, 500),
    ),
    long_clips=(Clip("long-360p", "h264", 640, 360, 30, 37, 900, copies=7),),
    images=500,
    frame_videos=60,
    entries=50_000,
    growth_videos=(10, 30),
    growth_samples=(1000, 10_000),
    intervals=(0.5, 5.0),
    repeats=1,
    talk_minutes=2,
)

TINY = Scale(
    name="tiny",
    clips=(Clip("h264-tiny", "h264", 160, 96, 10, 3, 200),),
    long_clips=(Clip("long-tiny", "h264", 160, 96, 10, 4, 200, copies=3),),
    images=4,
    frame_videos=2,
    entries=60,
    growth_videos=(2,),
    growth_samples=(20,),
    intervals=(1.0,),
    long_interval=5.0,
    repeats=1,
    talk_minutes=0.2,
)

SCALES = {scale.name: scale for scale in (FULL, QUICK, TINY)}


@dataclass(frozen=True)
class Setting:
    """What a suite works with."""

    scale: Scale
    #: Folder of what was made for this scale.
    data: Path
    repeats: int
    #: Videos of the reader's own, measured with the clips.
    media: tuple[Path, ...]
    say: Callable[[str], None]

    @property
    def scratch(self) -> Path:
        """A folder for what contenders write, on the file system of the data."""
        folder = self.data / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
