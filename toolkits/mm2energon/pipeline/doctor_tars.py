"""Tars as they are found: every sample that can be read, whatever is wrong with names, and where reading ends.

Other readers group members by the key before the first dot. Here a key that holds dots keeps them where the part is one
that chat readers know, and a part that comes a second time begins the next sample: so nothing runs into another.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mm2energon.shards.index import idx_path, unpack_offsets
from mm2energon.shards.tars import BLOCK_BYTES, members

#: Parts of the chat readers.
KNOWN_PARTS = frozenset({"jpgs", "videos", "mp4s", "mp3s", "json"})
#: User that webdataset's writer enters into headers when it is told none, and where that stands in a header.
_WEBDATASET_USER = b"bigdata\0"
_USER_AT = 265
_KEY_AND_PART = re.compile(r"((?:.*/|)[^.]+)\.([^/]*)", re.DOTALL)
_META = re.compile(r"__[^/]*__($|/)")
_ZEROS_AT_ONCE = 1 << 20


@dataclass(slots=True)
class FoundSample:
    """One sample of a tar."""

    shard: str
    key: str
    parts: dict[str, bytes] = field(default_factory=dict)
    #: A reader takes the key to end at its first dot.
    dotted: bool = False
    #: All its members bear the marks of webdataset's own writer.
    by_webdataset: bool = True
    #: It is the last of a tar that breaks off, and more of it was to come.
    cut_off: bool = False

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
        self._energon_key: str | None = None
        self._by_webdataset = False

    def samples(self) -> Iterator[FoundSample]:
        """Each sample, in order.

        Raises:
            OSError: the disk or its permissions are at fault, not the tar.
        """
        sample: FoundSample | None = None
        whole: set[str] | None = None
        try:
            with self._path.open("rb") as file:
                for key, part, dotted, data in self._parts(file):
                    if sample is None or sample.key != key or part in sample.parts:
                        if sample is not None:
                            whole = set(sample.parts)
                            yield sample
                        sample = FoundSample(self.name, key, dotted=dotted)
                    sample.parts[part] = data
                    sample.by_webdataset = sample.by_webdataset and self._by_webdataset
        except ValueError as error:
            self.broken = str(error)
        if sample is not None:
            sample.cut_off = bool(self.broken) and not _is_whole(set(sample.parts), whole)
            yield sample

    def _parts(self, file: IO[bytes]) -> Iterator[tuple[str, str, bool, bytes]]:
        """(key, part, whether the key holds dots, content) of each part."""
        end = 0
        for member in members(file):
            end = member.end
            named = _KEY_AND_PART.fullmatch(member.name)
            if _META.match(member.name):
                continue
            if named is None:
                self.odd.append(f"{self.name}/{member.name}")
                continue
            self._note_row(named[1], member.offset)
            file.seek(member.begin - BLOCK_BYTES + _USER_AT)
            self._by_webdataset = file.read(len(_WEBDATASET_USER)) == _WEBDATASET_USER
            file.seek(member.begin)
            yield (*_parted(member.name, named[1], named[2]), file.read(member.size))
        self.offsets.append(end)
        file.seek(end)
        while block := file.read(_ZEROS_AT_ONCE):
            if any(block):
                raise ValueError(f"there is more behind byte {end}, where it ends")

    def _note_row(self, key: str, offset: int) -> None:
        if key != self._energon_key:
            self._energon_key = key
            self.offsets.append(offset)
            self.count += 1
            self.rows_crc32 = crc32_of_row(key, offset, self.rows_crc32)

    def idx_fault(self) -> tuple[str, str] | None:
        """(code, what) when the idx beside the tar is not what Energon needs."""
        path = idx_path(self._path)
        if not path.is_file():
            return "no-idx", path.name
        try:
            offsets = unpack_offsets(path.read_bytes())
        except ValueError as error:
            return "wrong-idx", f"{path.name}: {error}"
        if offsets == self.offsets or self.broken:
            return None
        return "wrong-idx", f"{path.name}: {len(offsets)} offsets, which do not fit {self.count} samples"


def crc32_of_row(key: str, offset: int, before: int) -> int:
    """CRC-32 that goes on from `before` over one row of an index."""
    return zlib.crc32(f"{key}\0{offset}\0".encode("utf-8", "surrogateescape"), before)


def _is_whole(parts: set[str], before: set[str] | None) -> bool:
    """Whether the last sample of a tar that breaks off has the parts of the one before it, or those of a chat."""
    return {"json", "videos"} <= parts or {"json", "mp4s"} <= parts if before is None else parts == before


def _parted(name: str, key: str, part: str) -> tuple[str, str, bool]:
    """Key, part, and whether the key holds dots."""
    longer, _, last = name.rpartition(".")
    if part not in KNOWN_PARTS and last in KNOWN_PARTS:
        return longer, last, True
    return key, part, False
