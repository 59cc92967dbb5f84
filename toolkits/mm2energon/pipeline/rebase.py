"""Rebase: media paths of an annotation file anywhere below a dataset root, as paths relative to the root."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mm2energon.formats.media import PLURALS
from mm2energon.pipeline.convert_media import with_endings
from mm2energon.roots import inside_root, is_url, name_from
from mm2energon.video.places import VIDEO_SUFFIXES


class There(Protocol):
    """What lies below a dataset root."""

    def exists(self, name: str) -> bool:
        """Whether a path relative to the root leads to a file or folder."""

    def is_file(self, name: str) -> bool:
        """Whether it leads to a file."""


@dataclass(frozen=True)
class OnDisk:
    """What lies below a root of this machine."""

    root: Path

    def exists(self, name: str) -> bool:
        """As of `There`."""
        return (self.root / name).exists()

    def is_file(self, name: str) -> bool:
        """As of `There`."""
        return (self.root / name).is_file()


def rebase(
    entry: Mapping[str, Any],
    folder: str,
    root: Path,
    *,
    origin: str,
    further: Sequence[Path] = (),
    there: There | None = None,
) -> dict[str, Any]:
    """A ShareGPT entry with its media paths made relative to the dataset root.

    A path is looked for beside the annotation file first, then below the root.

    Args:
        folder: the folder of the annotation file, relative to the root.
        further: roots of which files may be named by absolute paths, which stay so.
        there: what lies below the root, where that is not on this machine.

    Raises:
        MediaError: `outside-root`, `media-url` or `missing-media`.
    """
    base = _Base(folder, root, origin, further, there or OnDisk(root))
    rebased = dict(entry)
    for key in PLURALS.values():
        if isinstance(entry.get(key), list):
            place = base.place_video if key == PLURALS["video"] else base.place
            rebased[key] = [[base.place(path) for path in m] if isinstance(m, list) else place(m) for m in entry[key]]
    return rebased


@dataclass(frozen=True, slots=True)
class _Base:
    """Where the paths of one entry are looked for."""

    folder: str
    root: Path
    origin: str
    further: Sequence[Path]
    there: There

    def place(self, path: str) -> str:
        """What the path of a medium is from the root."""
        beside = self._inside(path if is_url(path) else os.path.join(self.folder, path))  # noqa: PTH118 (may be absolute)
        if self.folder and not self.there.exists(beside):
            below = self._inside(path)
            if self.there.exists(below):
                return below
        return beside

    def place_video(self, path: str) -> str:
        """As `place`; a name without its ending is completed where one video has it."""
        placed = self.place(path)
        ending = os.path.splitext(path)[1].lower()  # noqa: PTH122 (of a string)
        if ending in VIDEO_SUFFIXES or is_url(path) or self.there.is_file(placed):
            return placed
        for name in dict.fromkeys([placed, self._inside(path)]):
            found = with_endings(self.root / name, is_file=lambda one: self.there.is_file(name_from(self.root, one)))
            if found:
                return name_from(self.root, found[0]) if len(found) == 1 else name
        return placed

    def _inside(self, path: str) -> str:
        return inside_root(self.root, path, origin=self.origin, further=self.further)
