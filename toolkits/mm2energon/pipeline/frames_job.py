"""What `mm2energon frames` is asked to do, and what it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mm2energon.pipeline.archives import Unpacked
from mm2energon.pipeline.extract import Extraction
from mm2energon.pipeline.stored_root import StoredRoot
from mm2energon.stopwatch import Stopwatch


@dataclass(frozen=True)
class FramesJob:
    """What `mm2energon frames` is asked to do."""

    root: Path
    output: Path
    #: Stands for a video in the text of video samples.
    video_token: str
    #: None: only merge the annotations.
    extraction: Extraction | None
    unpack: bool = True
    #: A set-aside file whose entries join those of the output, instead of the annotations below the root.
    retry: Path | None = None
    #: Roots, resolved, of which files may be named by absolute paths.
    further: tuple[Path, ...] = ()
    #: What `root` is, where it stands for a folder in a store.
    stored: StoredRoot | None = None


@dataclass
class FramesReport:
    """What `mm2energon frames` did."""

    account: dict[str, Any] = field(default_factory=dict)
    annotations: list[str] = field(default_factory=list)
    #: json files below the root that hold no annotations, and folders that cannot be looked into: name -> why.
    ignored: dict[str, str] = field(default_factory=dict)
    #: Those of them that could not be read, and may hold annotations.
    unread: dict[str, str] = field(default_factory=dict)
    archives: list[Unpacked] = field(default_factory=list)
    videos: int = 0
    videos_failed: int = 0
    #: Damaged videos of which the frames before the fault were kept, and what is wrong with them.
    videos_partial: dict[str, str] = field(default_factory=dict)
    frames: int = 0
    #: Where an input was kept that stood where the output goes.
    moved: str | None = None
    #: Videos whose frames were extracted now, and were not there before.
    extracted: int = 0
    #: All was there as it would have been written, and nothing was.
    already_done: bool = False
    #: What the steps took, over all workers.
    watch: Stopwatch = field(default_factory=Stopwatch)
    #: Annotation format that entries were read as -> entries that were written.
    formats: Counter[str] = field(default_factory=Counter)

    def facts(self) -> dict[str, Any]:
        """What the account says besides the entries."""
        counts = {
            "videos": self.videos,
            "videos_failed": self.videos_failed,
            "videos_partial": len(self.videos_partial),
        }
        told = {"formats": dict(sorted(self.formats.items())), "files_not_read": sorted(self.unread)}
        return {**counts, "frames": self.frames, **told}
