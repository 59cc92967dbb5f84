"""Plain pictures, known by two short reads: size and soundness of a file whose header holds nothing that needs care.

What is certainly a plain JPEG or PNG is told here in about 10 us; anything else is left to an image library, which
takes 20 times as long.
"""

from __future__ import annotations

import os

from mm2energon.images.facts import END_BYTES, ImageFacts, checksum_of_ends
from mm2energon.images.jpeg import read_jpeg_header
from mm2energon.images.png import HEAD, png_ends_well, read_png_header
from mm2energon.rules import MAX_PIXELS

_END_OF_JPEG = b"\xff\xd9"


def plain_facts(descriptor: int) -> ImageFacts | None:
    """What a file that was just opened is, when it is certainly a plain JPEG or PNG; else None.

    These are the facts that the image library would give.
    """
    try:
        size = os.fstat(descriptor).st_size
        head = os.read(descriptor, END_BYTES)
        is_png = head.startswith(HEAD) and hasattr(os, "pread")  # not on Windows
        found = read_png_header(head) if is_png else read_jpeg_header(head, size)
        if found is None:
            return None
        begin, tail = max(0, size - END_BYTES), head
        if begin:
            os.lseek(descriptor, begin, os.SEEK_SET)
            tail = os.read(descriptor, END_BYTES)
        width, height, first = found
        if is_png:
            ends_well = png_ends_well(descriptor, first, size)
        else:
            ends_well = begin + tail.rfind(_END_OF_JPEG) >= max(first, begin)
    except OSError:
        return None
    if not ends_well or begin + len(tail) != size or width * height > MAX_PIXELS:
        return None
    return ImageFacts(width, height, size, as_is=True, checksum=checksum_of_ends(head, tail))
