"""Archives of videos in a dataset folder: unpacked once, and never outside their folder.

Only regular files are taken, under names that stay below the folder; links, devices, absolute names and `..` are
refused, and so is an archive that would grow beyond the limits. A file that is already there is left as it is.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mm2energon.pipeline.archive_member import ArchiveError, DishonestArchiveError, Member, MemberError, NoRoomError
from mm2energon.pipeline.archive_stream import MOST_RATIO, decompressed
from mm2energon.pipeline.archive_tar import tar_members
from mm2energon.pipeline.archive_zip import zip_members
from mm2energon.pipeline.box import Box, safe_parts
from mm2energon.pipeline.ledger import STATE_FOLDER, note, read_ledger

_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
_MAX_MEMBERS = 5_000_000
_MAX_BYTES = 20 << 40
_FREE_BYTES = 100 << 20
#: Folders below the root in which archives are looked for: that of a split, and those in it.
DEPTH = 2
#: Times that archives are looked for: archives may come out of archives.
_ROUNDS = 3
#: Refused members that are kept by name, and characters of each.
_SHOWN, _SHOWN_CHARACTERS = 20, 300
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass
class Unpacked:
    """What became of one archive."""

    name: str
    files: int = 0
    #: The first of the members, or the archive itself, that were refused: `name: reason`; and how many there are.
    refused: list[str] = field(default_factory=list)
    refused_count: int = 0
    already_done: bool = False

    def refuse(self, name: str, why: str) -> None:
        """Note a member, or the archive, that is not taken."""
        self.refused_count += 1
        if len(self.refused) < _SHOWN:
            shown = name if len(name) <= _SHOWN_CHARACTERS else f"{name[:_SHOWN_CHARACTERS]}..."
            self.refused.append(f"{shown}: {why}")


class Bringing(Protocol):
    """Has here what is needed of archives that lie elsewhere."""

    def archive(self, archive: Path) -> AbstractContextManager[None]:
        """Have an archive here while it is unpacked."""

    def member(self, folder: Path, parts: Sequence[str], size: int) -> None:
        """Have here what lies in the place of a member."""


class _OnDisk:
    """Archives of this machine."""

    def archive(self, _archive: Path) -> AbstractContextManager[None]:
        return nullcontext()

    def member(self, folder: Path, parts: Sequence[str], size: int) -> None:
        pass


def unpack_all(root: Path, *, bringing: Bringing | None = None) -> Iterator[Unpacked]:
    """Unpack each archive of the root, of its split folders and of the folders in them, unless it is done.

    So are archives that come out of archives, some rounds deep; these share what the first may unpack to.

    Args:
        bringing: brings what the root only shows, where it stands for a folder elsewhere.
    """
    root = root.resolve()
    bringing = bringing or _OnDisk()
    seen: set[Path] = set()
    budget = _Budget()
    for turn in range(_ROUNDS):
        fresh = [archive for archive in _archives(root) if archive not in seen]
        if turn == 0:
            budget.left = sum(_most_bytes(archive) for archive in fresh)
        for archive in fresh:
            yield _unpack_once(archive, root, budget, bringing)
        seen.update(fresh)
        if not fresh:
            return
    for archive in _archives(root):
        if archive not in seen:
            report = Unpacked(archive.relative_to(root).as_posix())
            report.refuse(report.name, "came out of archives in archives; run the command again to unpack it too")
            yield report


@dataclass
class _Budget:
    """Bytes that all archives of a run may still write."""

    left: int = 0


def _most_bytes(archive: Path) -> int:
    """What an honest archive unpacks to, at most."""
    return min(_MAX_BYTES, archive.stat().st_size * MOST_RATIO)


def _archives(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder in _folders(root, DEPTH):
        with suppress(PermissionError):  # a folder that may be listed, but not entered
            found += [path for path in sorted(folder.iterdir()) if _is_archive(path)]
    return found


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """The folder and those below it, down to a depth; neither hidden ones, nor those of shards or of frames."""
    try:
        if (folder / ".nv-meta").exists() or (folder / STATE_FOLDER / "shard").exists():
            return  # shards, finished or not, are no archives of videos
        with os.scandir(folder) as found:
            names = sorted(e.name for e in found if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
    except PermissionError:
        return
    yield folder
    for name in names if depth else ():
        if not (folder / f"{name}.json").is_file():
            yield from _folders(folder / name, depth - 1)


def _is_archive(path: Path) -> bool:
    """Whether a file is one to unpack; a tar with an index beside it is a shard."""
    if not is_archive_name(path.name) or path.name.startswith("."):
        return False
    return path.is_file() and not path.with_name(f"{path.name}.idx").exists()


def is_archive_name(name: str) -> bool:
    """Whether an archive may have that name."""
    return name.lower().endswith(_SUFFIXES)


def _unpack_once(archive: Path, root: Path, budget: _Budget, bringing: Bringing) -> Unpacked:
    stat = archive.stat()
    mark: dict[str, Any] = {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    report = Unpacked(archive.relative_to(root).as_posix())
    try:
        known = read_ledger(archive.parent).get(archive.name)
    except PermissionError as error:
        report.refuse(report.name, f"its folder's notes cannot be read ({error.strerror})")
        return report
    if isinstance(known, dict) and {**known, **mark} == known:
        report.already_done = True
        report.refused, report.refused_count = list(known.get("refused", [])), known.get("refused_count", 0)
        return report
    if not archive.resolve().is_relative_to(root):
        report.refuse(report.name, "is a link out of the dataset root; put the archive itself there")
        return report
    try:
        with bringing.archive(archive):
            _unpack(archive, report, budget, bringing)
            mark |= {"refused": report.refused, "refused_count": report.refused_count}
            note(archive.parent, archive.name, mark)
    except NoRoomError as error:
        report.refuse(report.name, f"{error}; make room, and run the same command again to go on")
    except DishonestArchiveError as error:
        report.refuse(report.name, f"is damaged, or dishonest ({error}); nothing of it was kept; fetch it again")
    except ArchiveError as error:
        report.refuse(report.name, f"is damaged, or no archive ({error}); fetch it again")
    except OSError as error:
        if error.errno not in _NOT_ALLOWED:
            raise  # the disk's fault, not the archive's
        report.refuse(report.name, f"cannot be read, or not be unpacked there ({error.strerror})")
    return report  # a refused archive is not marked as done: a mended one is tried again


def _unpack(archive: Path, report: Unpacked, budget: _Budget, bringing: Bringing) -> None:
    """Unpack what is sound: of an archive that is cut off the files before the cut, of a dishonest one none."""
    box, room = Box(archive.parent), _Room(archive, budget)

    def take(member: Member) -> tuple[str, ...] | None:
        """Write a member into its place; None when it is there already."""
        if member.refused:
            raise MemberError(member.refused)
        parts = safe_parts(member.name)
        room.take(member.size)
        bringing.member(archive.parent, parts, member.size)
        return parts if box.put(parts, member.size, member.blocks) else None

    taken: list[tuple[str, ...]] = []
    try:
        with _members(archive) as members:
            for member in members:
                room.count()
                try:
                    if parts := take(member):
                        taken.append(parts)
                except MemberError as error:
                    report.refuse(member.name, str(error))
    except DishonestArchiveError:
        for parts in taken:
            box.remove(parts)
        taken.clear()
        raise
    finally:
        report.files = len(taken)
        box.close()


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    if archive.name.lower().endswith(".zip"):
        with archive.open("rb") as file:
            yield zip_members(file, most_bytes=_most_bytes(archive))
    else:
        with decompressed(archive) as stream:
            yield tar_members(stream)


class _Room:
    """How much an archive may still write."""

    def __init__(self, archive: Path, budget: _Budget) -> None:
        self._members = 0
        self._budget = budget
        self._left = _most_bytes(archive)
        self._disk_left = max(0, shutil.disk_usage(archive.parent).free - _FREE_BYTES)

    def count(self) -> None:
        """Count one member, taken or not.

        Raises:
            DishonestArchiveError: there are too many.
        """
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise DishonestArchiveError(f"it holds more than {_MAX_MEMBERS} members")

    def take(self, size: int) -> None:
        """Book the content of one member.

        Raises:
            DishonestArchiveError: the archive would write too much.
            NoRoomError: the disk has none for it.
        """
        self._left -= size
        self._budget.left -= size
        self._disk_left -= size
        if min(self._left, self._budget.left) < 0:
            raise DishonestArchiveError(
                f"it unpacks to more than {MOST_RATIO} times its size, as no honest archive does"
            )
        if self._disk_left < 0:
            raise NoRoomError("unpacks to more than the disk has room for")
