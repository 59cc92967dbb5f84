"""Reshaping: what becomes of the media of samples that are converted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FrameRule = Literal["uniform", "middle"]


@dataclass(frozen=True)
class Reshaping:
    """What becomes of the media of samples."""

    root: Path
    #: Where media go that stand in the entries themselves; below the root.
    media_folder: Path
    #: A video becomes at most so many of its frames, as images.
    frames: int | None = None
    frame_rule: FrameRule = "uniform"
    #: Images that are the frames of one video become the video.
    joins_frames: bool = False
    #: Every medium must be there.
    checks_media: bool = False
    further: tuple[Path, ...] = ()
