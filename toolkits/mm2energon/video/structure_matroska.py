"""The elements of a Matroska or WebM file, down to the blocks that hold the frames (RFC 8794, RFC 9559)."""

from __future__ import annotations

import zlib
from typing import IO

_EBML = 0x1A45DFA3
_SEGMENT = 0x18538067
_TRACKS = 0x1654AE6B
_TRACK_ENTRY = 0xAE
_TRACK_NUMBER = 0xD7
_FLAG_LACING = 0x9C
_CLUSTER = 0x1F43B675
_BLOCK_GROUP = 0xA0
_BLOCKS = {0xA1, 0xA3}
_LACED = 0x06

#: May stand in every element: a checksum of the rest (RFC 8794, section 11.3.1), and nothing (11.3.2).
_CRC_32 = 0xBF
_VOID = 0xEC
_GLOBAL = {_CRC_32, _VOID}

_TOP = {_EBML, _SEGMENT, *_GLOBAL}

#: SeekHead, Info, Chapters, Cues, Attachments, Tags, and SignatureSlot of the first drafts of EBML.
_IN_SEGMENT = {_TRACKS, _CLUSTER, 0x114D9B74, 0x1549A966, 0x1043A770, 0x1C53BB6B, 0x1941A469, 0x1254C367, 0x1B538667}
_IN_SEGMENT |= _GLOBAL

#: Timestamp, SilentTracks, Position, PrevSize, SimpleBlock, EncryptedBlock (RFC 9559, section 5.1.3, appendix A).
_IN_CLUSTER = {_BLOCK_GROUP, 0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xAF, *_GLOBAL}

#: What may stand in the elements that are looked into; an empty set: anything.
_CHILDREN: dict[int, set[int]] = {
    _SEGMENT: _IN_SEGMENT,
    _TRACKS: {_TRACK_ENTRY, *_GLOBAL},
    _TRACK_ENTRY: set(),
    _CLUSTER: _IN_CLUSTER,
    _BLOCK_GROUP: set(),
}

#: Whose checksums are looked at: without these two there are no frames.
_CHECKED = {_TRACKS: "Tracks", _CLUSTER: "Cluster"}

#: The two that may leave their size open, and what ends them (RFC 9559, section 4.5; RFC 8794, section 6.2).
_OPEN = {_SEGMENT: _TOP | _IN_SEGMENT, _CLUSTER: _TOP | _IN_SEGMENT | _IN_CLUSTER}

#: Longest header of an element (an id of 4 bytes, a size of 8) and of a block (a number of 8, a time, flags).
_HEADER_BYTES = 12
_BLOCK_BYTES = 11
_CHUNK_BYTES = 1 << 20

_CUT = "it ends in the middle of an element"


class _Fault(Exception):
    """Ends a walk: the byte, and what is wrong there."""


def walk_matroska(file: IO[bytes], size: int) -> tuple[int, str] | None:
    """Where the elements stop to stand one behind the other, each inside its parent, and why."""
    try:
        _Walk(file, size).children(0, size, _TOP)
    except _Fault as fault:
        at, why = fault.args
        return at, why
    return None


class _Walk:
    """One pass over a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size
        #: Numbers of the tracks that the file states, each with what it says of lacing (1 where it says nothing).
        self._tracks: dict[int, int] = {}
        #: How many blocks have been passed.
        self._blocks = 0
        #: The bytes from the last header that was read on, as far as a block needs them.
        self._head = b""
        #: What the entry of a track says that is being read.
        self._track: dict[int, int] = {}

    def children(self, at: int, end: int, known: set[int]) -> None:
        """Go over the elements that fill an element from `at` to `end`.

        Raises:
            _Fault: at the last one whose size leads to no other.
        """
        before = at
        while at < end:
            header = self._header(at)
            if header is None or header[1] > end or (known and header[0] not in known):
                if known is _TOP:
                    return  # behind the last segment: no part of the video
                is_cut = end == self._size and end - at < _HEADER_BYTES
                raise _Fault(before, _CUT if is_cut else "no known element follows")
            name, begin, stop = header
            before = at
            if stop is None:
                if name not in _OPEN:
                    raise _Fault(at, "an element of unknown size")
                at, known = begin, _OPEN[name]
                continue
            if stop > end:
                if end < self._size:
                    raise _Fault(at, "an element that is longer than what it stands in")
                if name in _CHILDREN:  # what stands in it is whole up to the last
                    self.children(begin, end, _CHILDREN[name])
                raise _Fault(end if name in _CHILDREN else at, _CUT)
            self._look_into(at, name, begin, stop)
            at = stop

    def _look_into(self, at: int, name: int, begin: int, end: int) -> None:
        if name in _BLOCKS:
            self._check_block(at, begin)
        elif name == _TRACK_ENTRY:
            self._track = {_FLAG_LACING: 1}
            self.children(begin, end, _CHILDREN[name])
            self._tracks[self._track.get(_TRACK_NUMBER, 0)] = self._track[_FLAG_LACING]
        elif name in (_TRACK_NUMBER, _FLAG_LACING) and end - begin <= 8:
            self._file.seek(begin)
            self._track[name] = int.from_bytes(self._file.read(end - begin), "big")
        elif name in _CHILDREN:
            fits = self._checksum_fits(begin, end) if name in _CHECKED else None
            if fits is False:
                raise _Fault(at, f"a {_CHECKED[name]} element whose checksum does not fit")
            if not fits or name != _CLUSTER:  # the blocks of a cluster that fits are as they were written
                blocks = self._blocks
                self.children(begin, end, _CHILDREN[name])
                if name == _BLOCK_GROUP and self._blocks == blocks:
                    raise _Fault(at, "a BlockGroup without a block")

    def _check_block(self, at: int, begin: int) -> None:
        """A block begins with the number of its track, a time, and flags (RFC 9559, section 10.1)."""
        self._blocks += 1
        head = self._head[begin - at :]
        length = 9 - head[0].bit_length() if head else 9
        if not self._tracks or len(head) < length + 3:
            return
        track = int.from_bytes(head[:length], "big") & (1 << 7 * length) - 1
        if track not in self._tracks:
            raise _Fault(at, f"a block of track {track}, which the file does not have")
        if head[length + 2] & _LACED and not self._tracks[track]:
            raise _Fault(at, f"a block of several frames in track {track}, which has none such")

    def _checksum_fits(self, at: int, end: int) -> bool | None:
        """Compare with the checksum, which comes first; None when there is none."""
        header = self._header(at)
        if header is None or header[0] != _CRC_32 or header[2] != header[1] + 4:
            return None
        self._file.seek(header[1])
        stated = int.from_bytes(self._file.read(4), "little")
        found, left = 0, end - header[1] - 4
        while left > 0 and (chunk := self._file.read(min(left, _CHUNK_BYTES))):
            found = zlib.crc32(chunk, found)
            left -= len(chunk)
        return found == stated

    def _header(self, at: int) -> tuple[int, int, int | None] | None:
        """Id of the element at `at`, where its content begins and ends; None as an end when it does not say."""
        self._file.seek(at)
        head = self._head = self._file.read(_HEADER_BYTES + _BLOCK_BYTES)
        if len(head) < 2:
            return None
        id_bytes = 9 - head[0].bit_length()
        if id_bytes > 4 or len(head) <= id_bytes:
            return None
        size_bytes = 9 - head[id_bytes].bit_length()
        begin = id_bytes + size_bytes
        if size_bytes > 8 or len(head) < begin:
            return None
        unknown = (1 << 7 * size_bytes) - 1
        content = int.from_bytes(head[id_bytes:begin], "big") & unknown
        name = int.from_bytes(head[:id_bytes], "big")
        return name, at + begin, None if content == unknown else at + begin + content
