"""Tars as they are found: every sample that can be read, whatever is wrong with names, and where reading ends.

Other readers group members by the key before the first dot. Here a key that holds dots keeps them where the part is one
that chat readers know, and a part that comes a second time begins the next sample: so nothing runs into another.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mm2energon.shards.index import idx_path, unpack_offsets

#: Parts of the chat readers.
KNOWN_PARTS = frozenset({"jpgs", "videos", "mp4s", "mp3s", "json"})
#: User that webdataset's writer enters into headers when it is told none.
_WEBDATASET_USER = "bigdata"
_KEY_AND_PART = re.compile(r"((?:.*/|)[^.]+)\.([^/]*)", re.DOTALL)
_META = re.compile(r"__[^/]*__($|/)")
_ZEROS = bytes(tarfile.BLOCKSIZE)


@dataclass(slots=True)
class FoundSample:
    """One sample of a tar."""

    shard: str
    key: str
    parts: dict[str, bytes] = field(default_factory=dict)
    #: A reader takes the key to end at its first dot.
    dotted: bool = False
    #: A part of it that is not there as a whole.
    cut_off: str = ""

    def __str__(self) -> str:
        return f"{self.shard}/{self.key}"


class FoundTar:
    """A tar that is read once, from front to back; the attributes are right when `samples` has come to its end."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self._path = root / name
        #: Where each sample begins, as Energon tells them apart, and where the last ends.
        self.offsets: list[int] = []
        #: Samples, as Energon counts them.
        self.count = 0
        #: CRC-32 over key and offset of each of them.
        self.rows_crc32 = 0
        #: Why the tar cannot be read to its end; empty when it can.
        self.broken = ""
        #: Members that are no part of any sample.
        self.odd: list[str] = []
        #: Every member bears the marks of webdataset's own writer.
        self.by_webdataset = True
        self._energon_key: str | None = None

    def samples(self) -> Iterator[FoundSample]:
        """Each sample, in order."""
        sample: FoundSample | None = None
        whole: set[str] | None = None
        try:
            with self._path.open("rb") as file:
                for key, part, dotted, data in self._members(file):
                    if sample is None or sample.key != key or part in sample.parts or sample.cut_off:
                        if sample is not None:
                            whole = set(sample.parts)
                            yield sample
                        sample = FoundSample(self.name, key, dotted=dotted)
                    if data is None:
                        sample.cut_off = part
                    else:
                        sample.parts[part] = data
        except (OSError, EOFError, ValueError, tarfile.TarError) as error:
            self.broken = self.broken or str(error)
        if sample is not None:
            if self.broken and not sample.cut_off and set(sample.parts) != whole:
                sample.cut_off = "rest"  # it has not the parts of the one before: more were to come
            yield sample

    def _members(self, file: IO[bytes]) -> Iterator[tuple[str, str, bool, bytes | None]]:
        """(key, part, whether the key holds dots, content or None when it is cut off) of each part."""
        size = file.seek(0, 2)
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := _next(tar)) is not None:
                named = _KEY_AND_PART.fullmatch(member.name)
                if _META.match(member.name):
                    continue
                if named is None or not member.isreg() or member.issparse():
                    self._note_odd(member)
                    continue
                self._note_row(named[1], member.offset)
                self.by_webdataset = self.by_webdataset and member.uname == _WEBDATASET_USER
                whole = member.offset_data + member.size <= size
                if not whole:
                    self.broken = "it ends in the middle of a member"
                yield (*_parted(member.name, named[1], named[2]), _content(file, member) if whole else None)
                if not whole:
                    return
            self._check_end(file, tar.offset, size)

    def _note_odd(self, member: tarfile.TarInfo) -> None:
        if not member.isdir():
            self.odd.append(f"{self.name}/{member.name}")

    def _note_row(self, key: str, offset: int) -> None:
        if key != self._energon_key:
            self._energon_key = key
            self.offsets.append(offset)
            self.count += 1
            self.rows_crc32 = crc32_of_row(key, offset, self.rows_crc32)

    def _check_end(self, file: IO[bytes], end: int, size: int) -> None:
        self.offsets.append(end)
        file.seek(end)
        block = file.read(tarfile.BLOCKSIZE)
        if end >= size:
            self.broken = "it lacks its end, as after a run that was cut off"
        elif block != _ZEROS[: len(block)]:
            self.broken = f"no header of a tar at byte {end}"

    def idx_fault(self) -> tuple[str, str] | None:
        """(code, what) when the idx beside the tar is not what Energon needs."""
        path = idx_path(self._path)
        if not path.is_file():
            return "no-idx", path.name
        try:
            offsets = unpack_offsets(path.read_bytes())
        except (OSError, ValueError) as error:
            return "wrong-idx", f"{path.name}: {error}"
        if offsets == self.offsets or self.broken:
            return None
        return "wrong-idx", f"{path.name}: {len(offsets)} offsets, which do not fit {self.count} samples"


def crc32_of_row(key: str, offset: int, before: int) -> int:
    """CRC-32 that goes on from `before` over one row of an index."""
    return zlib.crc32(f"{key}\0{offset}\0".encode("utf-8", "surrogateescape"), before)


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    """The next member, without the memory of those before."""
    member = tar.next()
    tar.members.clear()  # type: ignore[attr-defined]
    return member


def _content(file: IO[bytes], member: tarfile.TarInfo) -> bytes:
    file.seek(member.offset_data)
    return file.read(member.size)


def _parted(name: str, key: str, part: str) -> tuple[str, str, bool]:
    """Key, part, and whether the key holds dots."""
    longer, _, last = name.rpartition(".")
    if part not in KNOWN_PARTS and last in KNOWN_PARTS:
        return longer, last, True
    return key, part, False
