"""What a store has beside files that are asked for: its folders, each listed once, and sizes by name."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable

from mm2energon.remote import Remote

_FOLDERS_REMEMBERED = 16


class Listing:
    """Names and bytes of files below a remote folder, as they were when their folder was first asked for."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        #: Folder -> beginning of a name -> files and their bytes; asked for once.
        self._listed: dict[str, dict[str, dict[str, int]]] = {}
        self._lock = threading.Lock()

    def beside(self, name: str) -> dict[str, int]:
        """A file, and those of its folder that have the same name but for the ending (in any case); name -> bytes.

        Raises:
            OSError: the store does not say.
        """
        folder, _, last = name.rpartition("/")
        with self._lock:
            alike = self._of(folder).get(_beginning(last), {})
        stem = _fold(last.rpartition(".")[0] or last)
        found = {one: size for one, size in alike.items() if one == last or _fold(one).startswith(f"{stem}.")}
        return {f"{folder}/{one}" if folder else one: size for one, size in found.items()}

    def size_of(self, name: str) -> int | None:
        """Bytes of a file; None when there is none.

        Raises:
            OSError: the store does not say.
        """
        folder, _, last = name.rpartition("/")
        with self._lock:
            return self._of(folder).get(_beginning(last), {}).get(last)

    def look_again(self, names: Iterable[str]) -> None:
        """Learn of files that came into the store since their folder was listed.

        Raises:
            OSError: the store does not say.
        """
        for name in names:
            folder, _, last = name.rpartition("/")
            if (size := (self._remote / name).size()) is not None:
                with self._lock:
                    self._of(folder).setdefault(_beginning(last), {})[last] = size

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._listed.clear()

    def _of(self, folder: str) -> dict[str, dict[str, int]]:
        if folder not in self._listed:
            if len(self._listed) >= _FOLDERS_REMEMBERED:
                self._listed.clear()
            listed: dict[str, dict[str, int]] = {}
            for name, size in (self._remote / folder if folder else self._remote).files():
                listed.setdefault(_beginning(name), {})[name] = size
            self._listed[folder] = listed
        return self._listed[folder]


def _beginning(name: str) -> str:
    """A name up to its first dot, as a file system has it that tells neither cases nor forms of Unicode apart."""
    return _fold(name.partition(".")[0])


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
