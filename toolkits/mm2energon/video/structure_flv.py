"""The tags of an FLV, each with its size in front and behind (Adobe Flash Video File Format 10.1, annex E)."""

from __future__ import annotations

from typing import IO

_TAG_BYTES = 11

#: Sound, picture, data of AMF3 and AMF0; a bit says that the tag is filtered (E.4.1).
_KINDS = (8, 9, 15, 18)
_FILTERED = 0x20


def walk_flv(file: IO[bytes], size: int) -> tuple[int, str] | None:
    """Where the tags stop to stand one behind the other, and why."""
    at, all_bytes = 0, 0
    states_sizes: bool | None = None
    while True:
        file.seek(at)
        head = file.read(_TAG_BYTES)
        if len(head) < _TAG_BYTES:
            return None  # the end, or a few bytes behind it
        if head.startswith(b"FLV"):  # recorders write a header again where a stream begins anew
            at += int.from_bytes(head[5:9], "big") + 4
            continue
        if head[0] & ~_FILTERED not in _KINDS:
            return at, "no tag begins here"
        tag_bytes = _TAG_BYTES + int.from_bytes(head[1:4], "big")
        if at + tag_bytes > size:
            return at, "it ends in the middle of a tag"
        all_bytes += tag_bytes
        file.seek(at + tag_bytes)
        behind = file.read(4)
        stated = int.from_bytes(behind, "big")
        if states_sizes is None:
            states_sizes = stated != 0  # some writers leave all of them 0
        # The size without the tag's header, one less, or that of all tags so far: writers that FFmpeg knows of.
        usual = (tag_bytes, tag_bytes - 1, tag_bytes - _TAG_BYTES, all_bytes) if states_sizes else (0,)
        if len(behind) == 4 and stated not in usual:
            return at, f"a tag of {tag_bytes} bytes, of which {stated} are stated behind it"
        at += tag_bytes + 4
