"""Archives of videos in a dataset folder: unpacked once, and never outside their folder.

Only regular files are taken, under names that stay below the folder; links, devices, absolute names and `..` are
refused, and so is an archive that would grow beyond the limits. A file that is already there is left as it is.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import os
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from mm2energon.pipeline.ledger import STATE_FOLDER, note, read_ledger
from mm2energon.storage import write_whole

_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
_MAX_MEMBERS = 5_000_000
_MAX_BYTES = 20 << 40
#: A member that grows by more than this is a bomb; videos and pictures hardly shrink at all.
_MAX_RATIO = 1000
_FREE_BYTES = 100 << 20
_MAX_NAME_BYTES = 255
#: Folders below the root in which archives are looked for: that of a split, and those in it.
_DEPTH = 2
#: Times that archives are looked for: archives may come out of archives.
_ROUNDS = 3
#: Refused members that are kept by name.
_SHOWN = 20
#: What the standard library raises on an archive that is cut off, altered, or of another kind than its name says;
#: gzip and bz2 say it by an OSError without a number.
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,  # a compression that zipfile does not know
)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)
_COMPRESSIONS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


@dataclass
class Unpacked:
    """What became of one archive."""

    name: str
    files: int = 0
    #: The first of the members, or the archive itself, that were refused: `name: reason`; and how many there are.
    refused: list[str] = field(default_factory=list)
    refused_count: int = 0
    already_done: bool = False

    def refuse(self, what: str) -> None:
        """Note a member that is not taken."""
        self.refused_count += 1
        if len(self.refused) < _SHOWN:
            self.refused.append(what)


def unpack_all(root: Path) -> Iterator[Unpacked]:
    """Unpack each archive of the root, of its split folders and of the folders in them, unless it is done.

    So are archives that come out of archives, some rounds deep.
    """
    seen: set[Path] = set()
    for _ in range(_ROUNDS):
        fresh = [archive for archive in _archives(root) if archive not in seen]
        for archive in fresh:
            yield _unpack_once(archive, root)
        seen.update(fresh)
        if not fresh:
            return
    for archive in _archives(root):
        if archive not in seen:
            report = Unpacked(archive.relative_to(root).as_posix())
            report.refuse(f"{report.name}: came out of archives in archives; run the command again to unpack it too")
            yield report


def _archives(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder in _folders(root, _DEPTH):
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
    if not path.name.lower().endswith(_SUFFIXES) or path.name.startswith("."):
        return False
    return path.is_file() and not path.with_name(f"{path.name}.idx").exists()


def _unpack_once(archive: Path, root: Path) -> Unpacked:
    stat = archive.stat()
    mark = {"bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    report = Unpacked(archive.relative_to(root).as_posix())
    known = read_ledger(archive.parent).get(archive.name)
    if isinstance(known, dict) and {**known, **mark} == known:
        report.already_done = True
        report.refused, report.refused_count = list(known.get("refused", [])), known.get("refused_count", 0)
        return report
    try:
        unpack = _unpack_zip if archive.name.lower().endswith(".zip") else _unpack_tar
        unpack(archive, report)
        note(archive.parent, archive.name, {**mark, "refused": report.refused, "refused_count": report.refused_count})
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno in _NOT_ALLOWED:
            report.refuse(f"{report.name}: cannot be read, or not be unpacked there ({error.strerror})")
        elif isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the archive's
        else:
            report.refuse(f"{report.name}: is damaged, or no archive ({error}); fetch it again")
    except _TooBigError as error:
        report.refuse(f"{report.name}: {error}")
    return report  # a refused archive is not marked as done: a mended one is tried again


class _TooBigError(Exception):
    pass


def _unpack_tar(archive: Path, report: Unpacked) -> None:
    """Unpack what is sound: of a tar that is cut off the files before the cut, of one whose checksum is wrong none."""
    taken: list[Path] = []
    try:
        _read_tar(archive, report, taken)
    except (*_DAMAGED, OSError) as error:
        if not isinstance(error, EOFError) and "unexpected end" not in str(error):
            for path in taken:
                path.unlink(missing_ok=True)
            report.files = 0
        raise


def _read_tar(archive: Path, report: Unpacked, taken: list[Path]) -> None:
    room = _Room(archive)
    with _decompressed(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            if member.isdir():
                continue
            source = tar.extractfile(member) if member.isreg() else None
            if source is None:
                report.refuse(f"{member.name}: not a regular file")
            elif target := _take(source, member.name, member.size, archive.parent, room, report):
                taken.append(target)
        goes_on = False
        while block := stream.read(1 << 20):  # to its very end, where the checksum stands
            goes_on = goes_on or bool(block.strip(b"\0"))
    if goes_on:  # tarfile takes a header that it cannot read for the end
        raise EOFError("what follows its last readable member is no member")


def _decompressed(archive: Path) -> IO[bytes]:
    """The bytes of a tar, whatever it was compressed with (its name may say otherwise)."""
    with archive.open("rb") as file:
        head = file.read(8)
    opened = next((opened for magic, opened in _COMPRESSIONS.items() if head.startswith(magic)), Path.open)
    stream: IO[bytes] = opened(archive, "rb")
    return stream


def _unpack_zip(archive: Path, report: Unpacked) -> None:
    room = _Room(archive)
    with zipfile.ZipFile(archive) as container:
        for member in container.infolist():
            kind = member.external_attr >> 28  # the high bits of a Unix mode; 0 where the writer set none
            if member.is_dir():
                continue
            if kind not in (0, 8) or member.flag_bits & 1:
                report.refuse(f"{member.filename}: not a regular file, or encrypted")
                continue
            with container.open(member) as source:
                _take(source, member.filename, member.file_size, archive.parent, room, report)


class _Room:
    """How much an archive may still write."""

    def __init__(self, archive: Path) -> None:
        self._members = 0
        self._left = min(
            _MAX_BYTES,
            archive.stat().st_size * _MAX_RATIO,
            max(0, shutil.disk_usage(archive.parent).free - _FREE_BYTES),
        )

    def take(self, size: int) -> None:
        """Book one member.

        Raises:
            _TooBigError: the archive would write too much.
        """
        self._members += 1
        self._left -= size
        if self._left < 0 or self._members > _MAX_MEMBERS:
            raise _TooBigError("unpacks to more than the disk, or any honest archive of its size, holds")


def _take(source: IO[bytes], name: str, size: int, folder: Path, room: _Room, report: Unpacked) -> Path | None:
    target = _target(name, folder)
    if target is None:
        report.refuse(f"{name}: leaves its folder, or is no file name")
        return None
    if any(above.exists() and not above.is_dir() for above in target.parents):
        report.refuse(f"{name}: a file has the name of its folder")
        return None
    if target.exists():
        if not target.is_file() or target.stat().st_size != size:
            report.refuse(f"{name}: another file of that name is there; remove it to have the one in the archive")
        return None
    room.take(size)
    with write_whole(target) as file:
        copied = _copy(source, file, size)
    if copied != size:
        target.unlink()
        raise EOFError("cut off")
    report.files += 1
    return target


def _copy(source: IO[bytes], file: IO[bytes], size: int) -> int:
    copied = 0
    while copied < size and (block := source.read(min(1 << 20, size - copied))):
        copied += file.write(block)
    return copied


def _target(name: str, folder: Path) -> Path | None:
    """Where a member goes, or None when that is not below `folder` (links that are already there are followed)."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0].startswith("/") or re.match(r"[A-Za-z]:", parts[0]) or "\0" in name:
        return None
    if any(len(os.fsencode(part)) > _MAX_NAME_BYTES for part in parts):
        return None
    target = folder.joinpath(*parts)
    if STATE_FOLDER in parts or not target.parent.resolve().is_relative_to(folder.resolve()) or target.is_symlink():
        return None
    return target
