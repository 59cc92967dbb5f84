"""Smaller copies of pictures for which a sample has no room, in a folder beside the output: `filtered.pictures/`."""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path
from typing import Any

from mm2energon import images
from mm2energon.errors import InputError, MediaError
from mm2energon.jsonio import dumps
from mm2energon.pipeline.planned import PlannedMedia, PlannedPicture
from mm2energon.storage import remove_leftovers, write_whole

_NAME = re.compile(r"[0-9a-f]{16}-\d+x\d+\.(jpg|png)")
_JPEG_HEAD = b"\xff\xd8"


def pictures_of(output: Path) -> Path:
    """The folder of the copies of an output."""
    return output.parent.resolve() / f"{output.stem}.pictures"


class SmallerPictures:
    """Writes the copies of one output, and knows which there are."""

    def __init__(self, output: Path, root: Path) -> None:
        """
        Args:
            root: the dataset root, resolved; what is written has to lie below it.
        """
        self.folder = pictures_of(output)
        self._root = root
        self._used: set[str] = set()
        #: Copies that this run wrote.
        self.written = 0
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            raise InputError(f"{self.folder}: is no folder of its own; smaller pictures belong there; move it away")
        remove_leftovers(self.folder)

    def put(self, entry: dict[str, Any], before: PlannedMedia, after: PlannedMedia, *, origin: str) -> bool:
        """Put smaller copies in the place of pictures in a ShareGPT entry; whether there are any.

        Raises:
            MediaError: a picture cannot be decoded, or a copy of it would lie outside of the dataset root.
        """
        for found in before.images:  # the input may name copies of ours
            if f"/{self.folder.name}/" in f"/{found.path}":
                self._used.add(found.path.rpartition("/")[2])
        pairs = enumerate(zip(before.images, after.images, strict=True))
        smaller = {place: self._copy(wanted, origin) for place, (found, wanted) in pairs if found is not wanted}
        for place, path in smaller.items():
            entry["images"][place] = path
        return bool(smaller)

    def remove_others(self) -> None:
        """Take away the copies of earlier runs that nothing refers to any more."""
        for path in self.folder.glob("*") if self.folder.is_dir() else ():
            if _NAME.fullmatch(path.name) and path.name not in self._used:
                path.unlink()
        with contextlib.suppress(OSError):  # there is none, or something lies in it
            self.folder.rmdir()

    def _copy(self, wanted: PlannedPicture, origin: str) -> str:
        """The path of the copy of a picture, relative to the root; it is written, unless it is there."""
        if not self.folder.is_relative_to(self._root):
            raise MediaError(
                f"{origin}: {wanted.path!r} has to become smaller, but {self.folder} is outside of the dataset root; "
                "an output below the root was expected",
                "outside-root",
            )
        # By what its header and its end say, so that a picture that was exchanged meanwhile has a copy of its own.
        digest = hashlib.sha256(dumps([wanted.path, wanted.file_bytes, wanted.checksum])).hexdigest()[:16]
        stem = f"{digest}-{wanted.width}x{wanted.height}"
        name = next((name for name in (f"{stem}.jpg", f"{stem}.png") if (self.folder / name).is_file()), None)
        if name is None:
            size = (wanted.width, wanted.height)
            data = images.read_smaller(self._root / wanted.path, origin=origin, size=size)
            name = f"{stem}.jpg" if data.startswith(_JPEG_HEAD) else f"{stem}.png"
            with write_whole(self.folder / name) as file:
                file.write(data)
            self.written += 1
        self._used.add(name)
        return (self.folder / name).relative_to(self._root).as_posix()
