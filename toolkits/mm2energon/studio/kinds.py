"""Kinds: what a file is, told from its first bytes, and whether a browser shows it as it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Literal

Medium = Literal["image", "video", "audio"]

#: Bytes of a file by which it is told.
HEAD_BYTES = 4096
#: Bytes that are read of the header of an MP4 at most, wherever it lies in the file.
_MOST_HEADER_BYTES = 4 << 20
_MOST_BOXES = 4096

UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is."""

    content_type: str
    #: Whether browsers show it as it is.
    plays: bool = True
    #: Why not, for people.
    why: str = ""


def kind_of(head: bytes, medium: Medium, file: IO[bytes] | None = None) -> Kind:
    """What a file is that stands for an image, a video or a sound.

    Args:
        head: its first `HEAD_BYTES`.
        file: itself, in which the header of an MP4 is looked up.
    """
    kind = _TABLES[medium](head, file)
    return kind or Kind(UNKNOWN, plays=False, why=f"it is no {medium} that browsers know")


def _image(head: bytes, _file: IO[bytes] | None) -> Kind | None:
    for magic, content_type in _IMAGES.items():
        if head.startswith(magic):
            return Kind(content_type)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind("image/webp")
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return Kind("image/avif")
    return None


#: What all browsers show; everything else is decoded here and sent as JPEG or PNG. SVG may hold scripts: never sent.
_IMAGES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def _video(head: bytes, file: IO[bytes] | None) -> Kind | None:
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return _mp4(file)
    if head.startswith(b"\x1aE\xdf\xa3"):
        if b"webm" in head[:64]:
            return Kind("video/webm")
        return Kind("video/x-matroska", plays=False, why="browsers do not play Matroska")
    for matches, content_type, name in _UNPLAYED:
        if matches(head):
            return Kind(content_type, plays=False, why=f"browsers do not play {name}")
    return Kind("image/gif", plays=False, why="it is an animated picture") if head.startswith(b"GIF8") else None


_UNPLAYED: list[tuple[Callable[[bytes], bool], str, str]] = [
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"AVI ", "video/x-msvideo", "AVI"),
    (lambda head: head.startswith(b"FLV\x01"), "video/x-flv", "Flash video"),
    (lambda head: head.startswith(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), "video/x-ms-wmv", "Windows Media"),
    (lambda head: head.startswith(b"\x00\x00\x01\xba"), "video/mpeg", "MPEG program streams"),
    (lambda head: head.startswith(b"\x00\x00\x01\xb3"), "video/mpeg", "MPEG-1 and MPEG-2"),
    (lambda head: head[:1] == b"G" and head[188:189] == b"G", "video/mp2t", "MPEG transport streams"),
    (lambda head: head.startswith(b"OggS"), "video/ogg", "Ogg video"),
    (lambda head: head.startswith(b"\x06\x0e\x2b\x34"), "application/mxf", "MXF"),
]


#: Sample entries of MP4 that browsers decode, and what people call some that they mostly do not.
_DECODED = frozenset({b"avc1", b"avc3", b"av01", b"vp08", b"vp09", b"mp4a", b"Opus", b"fLaC", b".mp3"})
_CALLED = {b"hvc1": "HEVC", b"hev1": "HEVC", b"mp4v": "MPEG-4 part 2", b"jpeg": "Motion JPEG", b"ap": "ProRes"}
#: No pictures and no sound: what goes beside, such as time codes and subtitles.
_BESIDE = frozenset({b"tmcd", b"text", b"tx3g", b"c608", b"mebx", b"rtp ", b"gpmd", b"mp4s", b"camm"})
#: Profiles of H.264 (ISO/IEC 14496-10, A.2) that browsers decode: 8 bits and 4:2:0.
_H264_PROFILES = frozenset({66, 77, 88, 100})


def _mp4(file: IO[bytes] | None) -> Kind:
    """An MP4 or QuickTime file; what it holds says its `moov` (ISO/IEC 14496-12, 8.2 and 8.5.2: `stsd`)."""
    header = b"" if file is None else _moov(file)
    if not header and file is not None:
        return Kind("video/mp4", plays=False, why="its header is missing: it was cut off, or is damaged")
    at = header.find(b"stsd")
    while at >= 0:
        entry = header[at + 16 : at + 20]
        if entry and entry not in _DECODED | _BESIDE:
            name = _CALLED.get(entry) or _CALLED.get(entry[:2]) or entry.decode("ascii", "replace")
            return Kind("video/mp4", plays=False, why=f"browsers mostly do not play {name}")
        at = header.find(b"stsd", at + 4)
    profile = header.find(b"avcC")
    if 0 <= profile < len(header) - 5 and header[profile + 5] not in _H264_PROFILES:
        return Kind("video/mp4", plays=False, why="browsers do not play H.264 of more than 8 bits or 4:2:0")
    return Kind("video/mp4")


def _moov(file: IO[bytes]) -> bytes:
    """The header of an MP4; empty where there is none, or too long a one."""
    size, at = file.seek(0, os.SEEK_END), 0
    for _ in range(_MOST_BOXES):
        file.seek(at)
        box = file.read(16)
        if len(box) < 8:
            return b""
        length, body = int.from_bytes(box[:4], "big"), 8
        if length == 1:
            length, body = int.from_bytes(box[8:16], "big"), 16
        length = length or size - at
        if length < body:
            return b""
        if box[4:8] == b"moov":
            file.seek(at)
            return file.read(min(length, _MOST_HEADER_BYTES))
        at += length
    return b""


def _audio(head: bytes, _file: IO[bytes] | None) -> Kind | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return Kind("audio/wav")
    if head[4:8] == b"ftyp":
        return Kind("audio/mp4")
    for magic, content_type in _SOUNDS.items():
        if head.startswith(magic):
            return Kind(content_type)
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0:  # a frame of MPEG audio; layer 0 is AAC's ADTS
        return Kind("audio/aac" if head[1] & 0x06 == 0 else "audio/mpeg")
    return None


_SOUNDS = {b"ID3": "audio/mpeg", b"fLaC": "audio/flac", b"OggS": "audio/ogg", b"\x1aE\xdf\xa3": "audio/webm"}

_TABLES: dict[Medium, Callable[[bytes, IO[bytes] | None], Kind | None]] = {
    "image": _image,
    "video": _video,
    "audio": _audio,
}
