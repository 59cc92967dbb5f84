"""AV1: which coded frames leave no trace in the decoder, read off their headers.

The AV1 Bitstream and Decoding Process Specification: units 5.3, sequence header 5.5, frame header 5.9.2, leb128 4.10.5.
"""

from __future__ import annotations

from dataclasses import dataclass

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
_KEY, _INTRA_ONLY, _SWITCH = 0, 2, 3
_SELECT = 2
#: Bytes of the configuration record before its units (AV1 Codec ISO Media File Format Binding, 2.3.3).
_RECORD_BYTES = 4
#: Bytes of a frame header within which its beginning lies.
_HEAD_BYTES = 24


@dataclass(frozen=True, slots=True)
class Sequence:
    """What a sequence header says about the beginning of frame headers."""

    #: 0 never, 1 always, 2: each frame says.
    screen_content_tools: int
    integer_mv: int
    order_hint_bits: int


class _Bits:
    """Reads unsigned numbers, most significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """The next number of `count` bits.

        Raises:
            ValueError: there are not so many.
        """
        self._left -= count
        if self._left < 0:
            raise ValueError("the header ends early")
        return self._value >> self._left & ((1 << count) - 1)


def read_sequence(record: bytes) -> Sequence | None:
    """The sequence header in a configuration record; None when it is not there, or of a kind that is hardly used."""
    if not record or record[0] != 0x81:
        return None
    try:
        for kind, begin, end in _units(record, _RECORD_BYTES):
            if kind == _SEQUENCE_HEADER:
                return _sequence(_Bits(record[begin:end]))
    except (ValueError, IndexError):
        return None
    return None


def leaves_no_trace(packet: bytes, sequence: Sequence) -> bool:
    """Whether none of the frames in a packet is kept for later ones; False where that is not certain."""
    found = False
    try:
        for kind, begin, end in _units(packet, 0):
            if kind == _SEQUENCE_HEADER:
                return False
            if kind in (_FRAME_HEADER, _FRAME):
                if not _is_dropped(_Bits(packet[begin : min(end, begin + _HEAD_BYTES)]), sequence):
                    return False
                found = True
    except (ValueError, IndexError):
        return False
    return found


def _units(data: bytes, at: int) -> list[tuple[int, int, int]]:
    """(kind, where its content begins, where it ends) of each unit.

    Raises:
        ValueError, IndexError: the data are no units with sizes.
    """
    units = []
    while at < len(data):
        head = data[at]
        if head & 0x82 != 0x02:  # the forbidden bit, or no size
            raise ValueError("no unit with a size")
        at += 2 if head & 4 else 1
        size = shift = 0
        while True:
            byte = data[at]
            size |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                break
        units.append((head >> 3 & 15, at, at + size))
        at += size
    return units


def _sequence(bits: _Bits) -> Sequence | None:
    bits.read(3 + 1)  # profile, still picture
    if bits.read(1) or bits.read(1):  # reduced header; timing, with which frame headers hold more
        return None
    has_delays = bits.read(1)
    for _ in range(bits.read(5) + 1):  # operating points
        bits.read(12)
        if bits.read(5) > 7:  # noqa: PLR2004 - levels above have a tier
            bits.read(1)
        if has_delays and bits.read(1):
            bits.read(4)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    bits.read(width_bits + height_bits)
    if bits.read(1):  # numbered frames
        return None
    bits.read(3 + 4)  # superblocks, filters; compound and warped prediction
    has_order = bits.read(1)
    bits.read(2 if has_order else 0)
    tools = _SELECT if bits.read(1) else bits.read(1)
    integer = _SELECT
    if tools:
        integer = _SELECT if bits.read(1) else bits.read(1)
    return Sequence(tools, integer, bits.read(3) + 1 if has_order else 0)


def _is_dropped(bits: _Bits, sequence: Sequence) -> bool:
    """Whether a frame is decoded, shown and kept nowhere (refresh_frame_flags is 0)."""
    if bits.read(1):  # an earlier frame is shown
        return False
    kind = bits.read(2)
    is_shown = bits.read(1)
    if kind in (_KEY, _SWITCH) or not is_shown:
        return False
    is_resilient = bits.read(1)
    bits.read(1)  # disable_cdf_update
    tools = bits.read(1) if sequence.screen_content_tools == _SELECT else sequence.screen_content_tools
    if tools and sequence.integer_mv == _SELECT:
        bits.read(1)
    bits.read(1 + sequence.order_hint_bits)  # frame_size_override_flag, order_hint
    if kind != _INTRA_ONLY and not is_resilient:
        bits.read(3)  # primary_ref_frame
    return bits.read(8) == 0
