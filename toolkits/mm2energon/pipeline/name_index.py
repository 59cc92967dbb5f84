"""Name index: which files and folders there are below a folder of a store, in 8 bytes each, on the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mm2energon.pipeline.numbers import Numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DIGEST_BYTES = 8


class NameIndex:
    """Paths that are added first, and then asked for.

    Of a path its digest alone is kept: beside 100 million files, one of 10^11 that are not there seems to be.
    """

    def __init__(self, folder: Path | None) -> None:
        """
        Args:
            folder: where its file lies, which has no name; None: where temporary files do.
        """
        self._rows = Numbers({"name": "Q"}, folder=folder)

    def add_file(self, name: str) -> None:
        """Note that there is such a file."""
        self._rows.append(_digest(name))

    def add_folder(self, name: str, *, is_seen: bool) -> None:
        """Note that there is such a folder, and whether somebody looks into it."""
        self._rows.append(_digest(f"{name}/."))
        if not is_seen:
            self._rows.append(_digest(f"{name}/"))

    def has_file(self, name: str) -> bool:
        """Whether there is such a file."""
        return self._has(name)

    def has_folder(self, name: str) -> bool:
        """Whether there is such a folder."""
        return self._has(f"{name}/.")

    def is_unseen(self, name: str) -> bool:
        """Whether it lies in a folder into which nobody has looked."""
        return any(self._has(f"{folder}/") for folder in _folders_of(name))

    def _has(self, name: str) -> bool:
        digest = _digest(name)
        place = int(self._digests.searchsorted(self._digests.dtype.type(digest)))
        return place < len(self._digests) and int(self._digests[place]) == digest

    @cached_property
    def _digests(self) -> NDArray[Any]:
        """All of them, in ascending order; none may follow."""
        ordered = self._rows.like()
        for block in self._rows.sorted_by("name"):
            ordered.extend(block)
        return ordered.mapped()["name"]


def _folders_of(name: str) -> Iterator[str]:
    return accumulate(name.split("/")[:-1], lambda above, inner: f"{above}/{inner}")


def _digest(name: str) -> int:
    data = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest(), "little")
