"""Videos of an annotation file that have no frames yet: found, and extracted beside them or into packs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.database import faults_of_the_disk
from mm2energon.errors import SampleError
from mm2energon.jsonio import Entry
from mm2energon.pipeline.array import planned_units
from mm2energon.pipeline.brought import bring_videos, show_taken, sidecars_of
from mm2energon.pipeline.extract import Extraction, extract_all, extract_unit
from mm2energon.pipeline.known import Known
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.mirror import Mirror
from mm2energon.roots import inside_root
from mm2energon.stopwatch import Stopwatch
from mm2energon.video.layout import Frames, find_frames
from mm2energon.video.pack import Packs, holds_frames

#: Frames up to which what was found is remembered for the plan (20 MB), and how many a video itself counts for.
_FRAMES_REMEMBERED = 200_000
_FRAMES_OF_A_VIDEO = 20


@dataclass
class Videos:
    """The videos of a dataset, by their paths relative to its root."""

    root: Path
    extraction: Extraction
    #: Where frames go; None: beside the videos.
    packs: Packs | None
    #: Takes the time of the steps.
    watch: Stopwatch
    #: Roots of which videos may be named by absolute paths.
    further: tuple[Path, ...] = ()
    #: What `root` is, where it stands for a folder in a store.
    mirror: Mirror | None = None
    #: How many have frames beside them.
    ready: int = 0
    #: Those that have no frames beside them; once extracted, what a pack holds is known, and may be taken away again.
    lacking: list[str] = field(default_factory=list)
    failures: dict[str, SampleError] = field(default_factory=dict)
    extracted: int = 0
    #: Damaged videos of which the frames before the fault are taken, and what is wrong with them.
    partial: dict[str, str] = field(default_factory=dict)
    #: The frames that have just been found of those that are ready, so that the plan need not look again.
    found: dict[str, Frames] = field(default_factory=dict)
    #: Frames for which there is still room in it.
    _room: int = _FRAMES_REMEMBERED

    @faults_of_the_disk()
    def find(self, entries: Iterable[Entry], *, default_fps: float | None) -> None:
        """Look for the videos that entries name, and for their frames."""
        with contextlib.closing(Known()) as seen, contextlib.closing(Known()) as known:
            for entry in entries:
                try:
                    if entry.error is not None or not formats.may_hold_videos(entry.value):
                        continue
                    for video in formats.load(entry.value, origin=entry.origin).videos:
                        if isinstance(video, str) and seen.add(video):
                            name = inside_root(self.root, video, origin=entry.origin, further=self.further)
                            if known.add(name):
                                self._sort(name, default_fps)
                except SampleError:
                    continue  # the plan meets the same entry, and sets it aside

    def extract(self, *, progress: ProgressMaker, again: bool = False) -> None:
        """Extract what is lacking.

        Args:
            again: also videos of which a pack is known whose frames were taken away, as those of finished datasets are.
        """
        if self.packs is not None and self.mirror is not None:
            show_taken((video for video in self.lacking if not video.startswith("/")), self.mirror)
        wanted = [video for video in self.lacking if video not in self.failures and not self._is_packed(video, again)]
        # Those that an array was given have their frames by now, or a reason why not, which it knows.
        given = planned_units(self.extraction.executor, extract_unit)
        wanted = list(dict.fromkeys([*(unit.video for unit in given), *wanted]))
        if not wanted:
            return
        self.found.clear()  # it may take hours, in which anything may happen to what lay there
        extracted = extract_all(
            self.root, wanted, self.extraction, packs=self.packs, mirror=self.mirror, progress=progress
        )
        for one in extracted:
            if self.mirror is not None and self.packs is None:
                self.mirror.look_again(sidecars_of(one.video, self.mirror))
                bring_videos([one.video], self.mirror)
            self.watch.add_all(one.spent)
            if one.error is not None:
                self.failures[one.video] = one.error
            else:
                self.extracted += 1
                self._note(one.video, one.partial)

    def told(self) -> dict[str, Any]:
        """What a summary tells of them, as plain values."""
        return {"extracted": self.extracted, "ready": self.ready, "partial": self.partial}

    def _sort(self, name: str, default_fps: float | None) -> None:
        path = self.root / name
        try:
            is_there = path.is_file()
            found = find_frames(path, default_fps=default_fps) if is_there else None
        except SampleError:
            is_there, found = False, None
        if is_there and found is None:
            self.lacking.append(name)
            return
        if found is None:  # it is missing, or its frames cannot be used: the plan says so
            return
        self.ready += 1
        self._note(name, found.partial)
        if self._room > 0:
            self.found[name] = found
            self._room -= _FRAMES_OF_A_VIDEO + len(found.names)

    def _is_packed(self, video: str, again: bool) -> bool:
        if self.packs is None:
            return False
        try:
            about = self.packs.read(video)
            self._note(video, None if about is None else about.get("partial"))
            return about is not None and (not again or holds_frames(self.packs.pack_of(video), about))
        except SampleError:
            return False  # the extraction says why

    def _note(self, video: str, partial: str | None) -> None:
        if partial is not None:
            self.partial[video] = partial
