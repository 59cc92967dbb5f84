"""Members of an archive, of whatever kind, and what can be wrong with an archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class Stream(Protocol):
    """What can be read to its end."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


@dataclass(slots=True)
class Member:
    """One file that an archive says to hold."""

    name: str
    #: Bytes of its content.
    size: int
    #: Its content, block by block; what is not read is passed over.
    blocks: Iterator[bytes]
    #: Why it is not taken; empty when it may be.
    refused: str = ""


class ArchiveError(Exception):
    """An archive cannot be read any further; what it gave so far is sound."""


class DishonestArchiveError(ArchiveError):
    """An archive is a bomb, or contradicts itself: nothing of it is to be kept."""


class NoRoomError(ArchiveError):
    """The disk has no room for what an archive holds."""


class MemberError(Exception):
    """One member cannot be taken; those behind it can."""


def read_fully(stream: Stream, size: int) -> bytes:
    """So many bytes of a stream; fewer at its end alone."""
    data = stream.read(size)
    while 0 < len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data
