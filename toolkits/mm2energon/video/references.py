"""References: what the head of a coded picture tells about the pictures that it needs, and that need it.

Containers do not say which pictures no other one is built on (their flag for it was never set in any file that we met),
and call a picture a key frame that a decoder cannot begin with exactly. The first bytes of its slices say both.
H.264: ITU-T H.264, 7.3.1 and 7.4.1. HEVC: ITU-T H.265, 7.3.1.2 and 7.4.2.2. The records in front of streams in MP4 and
Matroska: ISO/IEC 14496-15, 5.3.3.1 and 8.3.3.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mm2energon.video.av1 import Sequence, leaves_no_trace, read_sequence

#: More codecs whose key frames are a fresh start, whatever stood before, and whose packets are one shown frame each.
_FRESH_AT_KEYS = frozenset({"vp9", "mjpeg", "prores"})

_H264_SLICES = range(1, 6)
_H264_IDR = 5
_HEVC_SLICES = range(32)
#: IDR with and without leading pictures, and CRA; of BLA the leading pictures are lost wherever decoding begins.
_HEVC_ENTRIES = frozenset({19, 20, 21})
#: TRAIL_N, TSA_N, STSA_N, RADL_N, RASL_N: no picture of the same temporal layer refers to them.
_HEVC_UNREFERENCED = frozenset({0, 2, 4, 6, 8})
#: Of a unit's first byte: how far and by what its kind is masked, and the kinds that are parameter sets.
_PARAMETER_SETS = {"h264": (0, 31, frozenset({7, 8, 13, 15})), "hevc": (1, 63, frozenset({32, 33, 34}))}
#: Within them, the tables of a JPEG (DQT and DHT; ITU-T T.81, B.2.4) stand.
_JPEG_HEAD_BYTES = 2048
_START_CODE = b"\0\0\1"


@dataclass(frozen=True, slots=True)
class References:
    """Reads the packets of one stream."""

    codec: str
    #: Bytes of the length before each unit; 0 where start codes part them.
    length_bytes: int = 0
    #: Of AV1, what its frame headers go by; None: not known.
    sequence: Sequence | None = None
    #: The highest layer in time, which no other refers to; None: not known.
    top_layer: int | None = None

    def is_entry(self, packet: Any) -> bool:
        """Whether a decoder that begins here shows this frame, and all later ones, as if it had begun before."""
        if not packet.is_keyframe:
            return False
        if self.codec == "h264":
            return self._slice_header(packet) & 31 == _H264_IDR
        if self.codec == "hevc":
            return self._slice_header(packet) >> 9 in _HEVC_ENTRIES
        if self.codec == "mjpeg":  # a picture without tables of its own goes by those of a picture before
            head = bytes(memoryview(packet)[:_JPEG_HEAD_BYTES])
            return b"\xff\xdb" in head and b"\xff\xc4" in head
        return True

    def is_unreferenced(self, packet: Any) -> bool:
        """Whether all other frames decode the same without this packet; False where that is not certain."""
        if self.codec == "h264":
            header = self._slice_header(packet)
            return header & 31 in _H264_SLICES and header & 0x60 == 0 and not self.parameter_sets(packet)
        if self.codec == "hevc" and self.top_layer is not None:
            header = self._slice_header(packet)
            is_top = header >> 9 in _HEVC_UNREFERENCED and (header & 7) - 1 == self.top_layer
            return is_top and not self.parameter_sets(packet)
        return self.sequence is not None and leaves_no_trace(bytes(packet), self.sequence)

    def parameter_sets(self, packet: Any) -> list[bytes]:
        """The parameter sets in a packet (SPS, PPS, VPS), which hold for the pictures behind them."""
        kinds = _PARAMETER_SETS.get(self.codec)
        if kinds is None:
            return []
        shift, mask, sets = kinds
        data = memoryview(packet)
        units = self._units(data) if self.length_bytes else _units_by_start_code(bytes(data))
        return [bytes(data[begin:end]) for begin, end in units if data[begin] >> shift & mask in sets]

    def _units(self, data: memoryview) -> Iterator[tuple[int, int]]:
        """Where each unit begins and ends."""
        at, size = 0, len(data)
        while at + self.length_bytes < size:
            begin = at + self.length_bytes
            at = begin + int.from_bytes(data[at:begin], "big")
            yield begin, min(at, size)

    def _slice_header(self, packet: Any) -> int:
        """Header of the first slice in a packet: one byte of H.264, two of HEVC; 0 when there is none."""
        data = memoryview(packet)
        return self._behind_length(data) if self.length_bytes else self._behind_start_code(bytes(data))

    def _behind_length(self, data: memoryview) -> int:
        at, size = 0, len(data) - self.length_bytes - 1
        while at < size:
            begin = at + self.length_bytes
            if header := self._slice(data[begin], data[begin + 1]):
                return header
            at = begin + int.from_bytes(data[at:begin], "big")
        return 0

    def _behind_start_code(self, data: bytes) -> int:
        at = data.find(_START_CODE)
        while 0 <= at < len(data) - 4:
            if header := self._slice(data[at + 3], data[at + 4]):
                return header
            at = data.find(_START_CODE, at + 3)
        return 0

    def _slice(self, first: int, second: int) -> int:
        if self.codec == "h264":
            return first if first & 31 in _H264_SLICES else 0
        return first << 8 | second if first >> 1 in _HEVC_SLICES else 0


def _units_by_start_code(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each unit begins and ends; the zero in front of a longer start code is counted to the unit before."""
    at = data.find(_START_CODE)
    while 0 <= at < len(data) - len(_START_CODE):
        following = data.find(_START_CODE, at + len(_START_CODE))
        yield at + len(_START_CODE), len(data) if following < 0 else following
        at = following


def read_references(codec_context: Any) -> References | None:
    """How to read the packets of a stream; None for a codec whose frames are to be decoded one after another."""
    codec, record = codec_context.name, bytes(codec_context.extradata or b"")
    name = {"libdav1d": "av1", "libvpx-vp9": "vp9"}.get(codec, codec)
    if name == "av1":
        return References(name, sequence=read_sequence(record))
    if name in _FRESH_AT_KEYS:
        return References(name)
    if name == "h264":
        return References(name, length_bytes=(record[4] & 3) + 1 if len(record) > 6 and record[0] == 1 else 0)
    if name == "hevc" and len(record) > 22 and record[0] == 1:
        layers = record[21] >> 3 & 7
        return References(name, length_bytes=(record[21] & 3) + 1, top_layer=layers - 1 if layers else None)
    return References(name) if name == "hevc" else None
