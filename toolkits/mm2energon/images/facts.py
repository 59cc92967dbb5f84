"""What is known of an image before its bytes are asked for, and how it is said that one cannot be used."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import NamedTuple

from mm2energon.errors import MediaError

#: Bytes of either end of a file that its checksum is of.
END_BYTES = 8 << 10


class ImageFacts(NamedTuple):
    """What is known of an image from its header; sizes in pixels, upright."""

    width: int
    height: int
    file_bytes: int
    #: False when the file must be decoded and stored anew.
    as_is: bool
    #: CRC-32 of the file's beginning and end, by which another picture of the same size is told.
    checksum: int = 0


def checksum_of_ends(head: bytes, tail: bytes) -> int:
    """CRC-32 of the first and the last `END_BYTES` of a file, which are the same where it has no more."""
    return zlib.crc32(tail, zlib.crc32(head))


def unreadable(path: Path, origin: str, why: str) -> MediaError:
    """The error of an image that cannot be used."""
    return MediaError(
        f"{origin}: {path.name} cannot be used ({why}); an image was expected; replace it or take the entry out",
        "unreadable-image",
    )
