"""The tags of an FLV, each with its size in front and behind (Adobe Flash Video File Format 10.1, annex E)."""

from __future__ import annotations

from typing import IO

_TAG_BYTES = 11
#: And as much of what a tag holds as tells its codec.
_HEAD_BYTES = _TAG_BYTES + 6

_SOUND, _PICTURE = 8, 9
#: Besides data of AMF3 and AMF0; a bit says that the tag is filtered (E.4.1).
_KINDS = (_SOUND, _PICTURE, 15, 18)
_FILTERED = 0x20

#: What is no longer has no picture: it is a command to the player, or the end of the pictures.
_COMMAND_BYTES = 6

#: In the first byte of a picture: that it is such a command, and that its codec is a name of four letters.
_COMMAND = 5
_NAMED = 0x80
_LAST_NAMED = 5
_H264 = 7


def walk_flv(file: IO[bytes], size: int) -> tuple[int, str] | None:
    """Where the tags stop to stand one behind the other, and why."""
    at, all_bytes = 0, 0
    states_sizes: bool | None = None
    codecs = _Codecs()
    head = file.read(_HEAD_BYTES)
    while len(head) >= _TAG_BYTES:
        if head.startswith(b"FLV"):  # recorders write a header again where a stream begins anew
            at += int.from_bytes(head[5:9], "big") + 4
            codecs = _Codecs()
            file.seek(at)
            head = file.read(_HEAD_BYTES)
            continue
        if head[0] & ~_FILTERED not in _KINDS:
            return at, "no tag begins here"
        content_bytes = int.from_bytes(head[1:4], "big")
        tag_bytes = _TAG_BYTES + content_bytes
        if at + tag_bytes > size:
            return at, "it ends in the middle of a tag"
        if content_bytes > _COMMAND_BYTES and not codecs.has(head):
            return at, "a tag whose codec is not that of the tags before"
        all_bytes += tag_bytes
        file.seek(at + tag_bytes)
        behind = file.read(4 + _HEAD_BYTES)
        stated = int.from_bytes(behind[:4], "big")
        if states_sizes is None:
            states_sizes = stated != 0  # some writers leave all of them 0
        if stated != tag_bytes or not states_sizes:
            # The size without the tag's header, one less, or that of all tags so far: writers that FFmpeg knows of.
            usual = (tag_bytes - 1, content_bytes, all_bytes) if states_sizes else (0,)
            if stated not in usual and len(behind) >= 4:
                return at, f"a tag of {tag_bytes} bytes, of which {stated} are stated behind it"
        at, head = at + tag_bytes + 4, behind[4:]
    return None  # the end, or a few bytes behind it


class _Codecs:
    """What sound and pictures of a file are coded by: one codec each."""

    def __init__(self) -> None:
        self._codecs: dict[int, bytes] = {}
        #: First bytes of tags that have been found right, which are few: a third of the time of a walk is saved.
        self._seen: set[tuple[int, int, int]] = set()

    def has(self, head: bytes) -> bool:
        """Whether a tag with content is of the codec of those before."""
        begin = (head[0], head[_TAG_BYTES], head[_TAG_BYTES + 1])
        if begin in self._seen:
            return True
        codec = _codec(head)
        if codec is None:
            return False
        other = self._codecs.setdefault(head[0], codec) if codec else codec
        if not codec.startswith(other) and not other.startswith(codec):
            return False
        if begin[2]:  # else it may be a header, with more to look at
            self._seen.add(begin)
        return True


def _codec(head: bytes) -> bytes | None:
    """What sound or pictures are coded by (E.4.2, E.4.3); empty where a tag has none, None where there is no such."""
    first = head[_TAG_BYTES]
    if head[0] == _SOUND:
        return bytes([first >> 4])
    if head[0] != _PICTURE:
        return b""
    if first >> 4 == _COMMAND:
        return None
    if first & _NAMED:  # Enhanced RTMP, "Enhanced Video"; what came with its second version has the name elsewhere
        name = head[_TAG_BYTES + 1 : _TAG_BYTES + 5] if first & 15 <= _LAST_NAMED else b""
        return bytes([_NAMED]) + name
    if first & 15 == _H264:
        kind, version = head[_TAG_BYTES + 1], head[_TAG_BYTES + 5]
        # A header of H.264, which has version 1 (ISO/IEC 14496-15, 5.2.4.1), pictures, or the end of them.
        return bytes([_H264]) if kind in (1, 2) or (kind == 0 and version == 1) else None
    return bytes([first & 15])
