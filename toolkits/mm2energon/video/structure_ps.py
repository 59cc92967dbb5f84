"""The packs and packets of an MPEG program stream, each of which says how long it is (ISO/IEC 13818-1, 2.5.3)."""

from __future__ import annotations

from typing import IO

_PREFIX = b"\0\0\1"
_PACK = 0xBA
_PROGRAM_END = 0xB9
_HEAD_BYTES = 14
#: Of a pack header without its stuffing: MPEG-2 (the two bits 01 in front), and MPEG-1 (ISO/IEC 11172-1, 2.4.3.2).
_PACK_BYTES, _MPEG1_PACK_BYTES = 14, 12
_ZEROS_AT_ONCE = 1 << 12


def walk_ps(file: IO[bytes], size: int) -> tuple[int, str] | None:
    """Where the units stop to stand one behind the other, and why; zeros may lie between them."""
    at = 0
    file.seek(0)
    if not file.read(4).startswith(_PREFIX + bytes([_PACK])):
        return None  # it begins in mid-stream
    while at < size:
        file.seek(at)
        head = file.read(_HEAD_BYTES)
        if len(head) < _HEAD_BYTES:
            return None  # the end of the program, or of the file
        if head[:3] != _PREFIX or head[3] < _PROGRAM_END:
            behind = _behind_zeros(file, at)
            if behind == at:
                return at, "no packet begins here"
            at = behind
            continue
        at += _unit_bytes(head)
    return None


def _unit_bytes(head: bytes) -> int:
    if head[3] == _PROGRAM_END:
        return 4
    if head[3] != _PACK:
        return 6 + int.from_bytes(head[4:6], "big")
    return _PACK_BYTES + (head[13] & 7) if head[4] >> 6 == 1 else _MPEG1_PACK_BYTES


def _behind_zeros(file: IO[bytes], at: int) -> int:
    """Where a row of zeros ends, up to the two that belong to a prefix; `at` where there is none."""
    end = at
    file.seek(at)
    while data := file.read(_ZEROS_AT_ONCE):
        rest = data.lstrip(b"\0")
        end += len(data) - len(rest)
        if rest:
            return max(end - 2, at) if rest[0] == 1 else at
    return end
