"""History: the questions that are over, one JSON object per line of a file, the oldest of which go."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from pathlib import Path
from typing import Any

from mm2energon.locks import make_folder
from mm2energon.storage import write_whole

#: Questions that are kept; the file is cut to them once it holds twice as many.
MOST = 500
#: Bytes of one of them, at most: what is longer loses its replies.
_LONGEST = 1 << 20


class History:
    """The file, or memory alone where there is none; several threads may use it."""

    def __init__(self, path: Path | None, *, most: int = MOST) -> None:
        self._path, self._most = path, most
        self._lock = threading.Lock()
        self._entries: deque[dict[str, Any]] = deque(maxlen=most)
        self._lines = 0
        if path is not None:
            self._read(path)

    def add(self, entry: dict[str, Any]) -> None:
        """Keep a question.

        Raises:
            OSError: the file cannot be written to; it is kept in memory all the same.
        """
        with self._lock:
            self._entries.append(entry)
            if self._path is not None:
                self._write(self._path, entry)

    def entries(self) -> list[dict[str, Any]]:
        """The latest first."""
        with self._lock:
            return list(reversed(self._entries))

    def find(self, id: str) -> dict[str, Any] | None:
        """The question of that id; None where it is not kept (any more)."""
        return next((entry for entry in self.entries() if entry.get("id") == id), None)

    def _read(self, path: Path) -> None:
        """Read what is there; a line that was cut off, or is none of ours, is passed over."""
        self._entries.clear()
        self._lines = 0
        try:
            with path.open("rb") as file:
                for line in file:
                    self._lines += 1
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(entry, dict) and isinstance(entry.get("id"), str):
                        self._entries.append(entry)
        except FileNotFoundError:
            return

    def _write(self, path: Path, entry: dict[str, Any]) -> None:
        if self._lines >= 2 * self._most:
            self._read(path)  # another studio may have written, too
            self._entries.append(entry)
            with write_whole(path) as file:
                file.writelines(_line(one) for one in self._entries)
            self._lines = len(self._entries)
            return
        make_folder(path.parent)
        # One write, so that lines of two studios do not mix; behind one that was cut off, on a line of its own.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (b"\n" if torn else b"") + _line(entry))
        finally:
            os.close(descriptor)
        self._lines += 1


def _line(entry: dict[str, Any]) -> bytes:
    line = json.dumps(entry, ensure_ascii=True).encode("ascii")
    if len(line) > _LONGEST:
        answers = [{**one, "reply": ""} for one in entry.get("answers", [])]
        line = json.dumps({**entry, "answers": answers}, ensure_ascii=True).encode("ascii")
    return line + b"\n"
