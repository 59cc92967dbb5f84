"""Numbers: rows of them in files, as many as the disk holds, of which one block at a time is in memory."""

from __future__ import annotations

import contextlib
import mmap
import secrets
import struct
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mm2energon.storage import TEMPORARY_SUFFIX

if TYPE_CHECKING:  # numpy is imported where it is needed: a tenth of a second
    import numpy as np
    from numpy.typing import NDArray

#: Rows of a block.
BLOCK_ROWS = 1 << 19
_BUFFER_BYTES = 1 << 18
#: Letter of a type -> the same in numpy's words.
_TYPES = {"B": "u1", "I": "u4", "Q": "u8"}


class Numbers:
    """Rows of numbers in a file, to be appended, and then to be read in order."""

    def __init__(self, fields: Mapping[str, str], *, folder: Path | None = None, path: Path | None = None) -> None:
        """
        Args:
            fields: name -> type: B, I or Q, for 8, 32 or 64 bits without a sign.
            folder: where its file lies, which has no name and goes with it; None: where temporary files do.
            path: a file of its own instead, which stays, and whose rows are taken over.
        """
        self._fields = dict(fields)
        self._folder = folder
        self._row = struct.Struct("=" + "".join(fields.values()))
        self._file: IO[bytes] = unnamed_file(folder) if path is None else path.open("a+b", buffering=_BUFFER_BYTES)
        self._write, self._pack = self._file.write, self._row.pack
        weakref.finalize(self, _close, self._file)

    def append(self, *row: int) -> None:
        """Add a row."""
        self._write(self._pack(*row))

    def extend(self, rows: NDArray[Any]) -> None:
        """Add rows of the same fields: a structured array of `dtype`, shape (rows,)."""
        self._write(rows.tobytes())

    def flush(self) -> None:
        """Let others who read the file see all rows."""
        self._file.flush()

    def close(self) -> None:
        """Let go of the file; one that has no name is gone."""
        _close(self._file)

    def __len__(self) -> int:
        return self._file.seek(0, 2) // self._row.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a row."""
        import numpy as np

        return np.dtype([(name, _TYPES[letter]) for name, letter in self._fields.items()])

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All rows in order: structured arrays of `dtype`, shape (rows,), of BLOCK_ROWS at most."""
        for start, end in stretches(len(self)):
            yield self._rows(start, end)

    def sorted_by(self, field: str) -> Iterator[NDArray[Any]]:
        """All rows, in blocks as of `blocks`, by one of their fields; those that are equal in it keep their order."""
        if len(self) <= BLOCK_ROWS:
            yield from (_sorted(block, field) for block in self.blocks())
            return
        runs = self.like()
        for block in self.blocks():
            runs.extend(_sorted(block, field))
        yield from runs._merged(field)

    def mapped(self) -> NDArray[Any]:
        """All rows, shape (rows,); the kernel keeps in memory of them what it has room for. No row may follow."""
        return _mapped(self._file, len(self), self.dtype)

    def like(self) -> Numbers:
        """An empty one with the same fields, beside this one."""
        return Numbers(self._fields, folder=self._folder)

    def _rows(self, start: int, end: int) -> NDArray[Any]:
        import numpy as np

        self._file.seek(start * self._row.size)
        return np.frombuffer(self._file.read((end - start) * self._row.size), self.dtype)

    def _merged(self, field: str) -> Iterator[NDArray[Any]]:
        """All rows by a field, by which each block is sorted already.

        Of each block the next few rows are held. Those are given out that nothing still to be read can precede: up to
        the least of the last ones that are held, and of two that are equal the one of the first block.
        """
        import numpy as np

        ends = [end for _, end in stretches(len(self))]
        starts = [start for start, _ in stretches(len(self))]
        few = max(2, BLOCK_ROWS // len(ends))
        held = [self._rows(0, 0)] * len(ends)
        while True:
            for run, rows in enumerate(held):
                if 2 * len(rows) < few and starts[run] < ends[run]:
                    end = min(starts[run] + few, ends[run])
                    held[run] = np.concatenate([rows, self._rows(starts[run], end)])
                    starts[run] = end
            limits = [(held[run][field][-1], run) for run in range(len(ends)) if starts[run] < ends[run]]
            if not limits:
                yield _sorted(np.concatenate(held), field)
                return
            most, first = min(limits)
            cuts = [
                int(rows[field].searchsorted(most, side="right" if run <= first else "left"))
                for run, rows in enumerate(held)
            ]
            yield _sorted(np.concatenate([rows[:cut] for rows, cut in zip(held, cuts, strict=True)]), field)
            held = [rows[cut:] for rows, cut in zip(held, cuts, strict=True)]


def stretches(count: int) -> Iterator[tuple[int, int]]:
    """Where each block of so many rows begins and ends."""
    for start in range(0, count, BLOCK_ROWS):
        yield start, min(start + BLOCK_ROWS, count)


def zeros(count: int, letter: str, *, folder: Path | None) -> NDArray[Any]:
    """So many numbers of a type, shape (count,), in a file without a name, as `Numbers.mapped` has them; to be written.

    Raises:
        OSError: the disk has no room for them.
    """
    import numpy as np

    file, dtype = unnamed_file(folder), np.dtype(_TYPES[letter])
    for start, end in stretches(count):
        # Written, not left out: a page that the disk has no room for must fail here, and not when it is touched.
        file.write(bytes((end - start) * dtype.itemsize))
    found = _mapped(file, count, dtype)
    file.close()
    return found


def unnamed_file(folder: Path | None) -> IO[bytes]:
    """A file that is gone when it is closed, or with the process."""
    path = Path(folder or tempfile.gettempdir()) / f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"
    file = path.open("x+b", buffering=_BUFFER_BYTES)
    path.unlink()
    return file


def _close(file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # the disk is full, of which the write has told; nobody reads it any more
        file.close()


def _mapped(file: IO[bytes], count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    import numpy as np

    file.flush()
    if not count:
        return np.zeros(0, dtype)
    return np.frombuffer(mmap.mmap(file.fileno(), count * dtype.itemsize), dtype)


def _sorted(rows: NDArray[Any], field: str) -> NDArray[Any]:
    return rows[rows[field].argsort(kind="stable")]
