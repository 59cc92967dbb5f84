"""The packets of an MPEG transport stream, of one length, each with its sync byte (ISO/IEC 13818-1, 2.4.3.2)."""

from __future__ import annotations

from typing import IO

_SYNC = 0x47
#: Alone; behind a time stamp (M2TS); before its check bytes (DVB).
_PACKET_BYTES = (188, 192, 204)
#: A recording begins somewhere; packets follow one another from the first place with as many sync bytes in a row.
_HEAD_BYTES = 1 << 16
_IN_A_ROW = 16
_PACKETS_AT_ONCE = 4096


def walk_ts(file: IO[bytes], size: int) -> tuple[int, str] | None:
    """Where the packets stop to stand one behind the other, and why; what is lost in between them is not looked at."""
    grid = _first_packets(file.read(min(size, _HEAD_BYTES)))
    if grid is None:
        return None
    at, packet_bytes = grid
    while True:
        file.seek(at)
        data = file.read(packet_bytes * _PACKETS_AT_ONCE)
        marks = data[::packet_bytes]
        if marks.count(_SYNC) < len(marks):
            wrong = next(number for number, mark in enumerate(marks) if mark != _SYNC)
            return at + wrong * packet_bytes, "no packet begins here"
        if len(data) < packet_bytes * _PACKETS_AT_ONCE:
            return None
        at += len(data)


def _first_packets(head: bytes) -> tuple[int, int] | None:
    """Where the first of many packets in a row begins, and how long they are; None where there are not so many."""
    found = [
        (at, packet_bytes)
        for packet_bytes in _PACKET_BYTES
        for at in range(packet_bytes)
        if head[at::packet_bytes][:_IN_A_ROW].count(_SYNC) == _IN_A_ROW
    ]
    return min(found, default=None)
