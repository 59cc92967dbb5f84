"""A file of a store, by its URL: read as a stream or in pieces, written whole; fsspec speaks to the store."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, Any

from mm2energon.errors import missing_extra
from mm2energon.remote.faults import MISSING, told
from mm2energon.remote.plain_names import with_plain_names
from mm2energon.remote.stream import BLOCK_BYTES, Stream

#: Scheme -> the package that speaks to such a store, and the extra that it comes with.
STORES = {
    "s3": ("s3fs", "s3"),
    "gs": ("gcsfs", "gs"),
    "hf": ("huggingface_hub", "hf"),
    "msc": ("multistorageclient", "msc"),
}
#: Requests at the same time: most of what a small one takes is waiting.
AT_A_TIME = 16
_BUFFER_BYTES = 1 << 20
#: What stores call the time of the last change.
_MODIFIED = ("LastModified", "mtime", "updated", "last_modified")
#: Stores that write a file only where there is none, in one request.
_EXCLUSIVE = ("s3", "gs")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a store."""

    #: Without a slash at its end.
    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """Its last part."""
        return self.url.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        return PurePosixPath(self.name).suffix

    def open(self, _mode: str = "rb", *, buffering: int = _BUFFER_BYTES) -> IO[bytes]:
        """The file, to be read as a stream, in which one may seek.

        Raises:
            OSError: there is none, or the store does not give it.
        """
        size = self.size()
        if size is None:
            raise FileNotFoundError(errno.ENOENT, MISSING, self.url)
        return io.BufferedReader(Stream(self.read_parts, size, name=self.url), buffering)

    def read(self) -> bytes:
        """The bytes of the file.

        Raises:
            OSError: as `open`.
        """
        with told(self.url):
            data: bytes = self.store().cat_file(self.url)
            return data

    def read_part(self, begin: int, end: int) -> bytes:
        """The bytes of the file from one place to another.

        Raises:
            OSError: as `open`.
        """
        with told(self.url):
            data: bytes = self.store().cat_file(self.url, start=begin, end=end)
            return data

    def read_parts(self, stretches: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
        """Some stretches of the file, (begin, end) of each: where a piece begins, and its bytes; several at a time.

        Raises:
            OSError: as `open`; or the file ends before.
        """

        def read(piece: tuple[int, int]) -> tuple[int, bytes]:
            begin, end = piece
            data = self.read_part(begin, end)
            if len(data) != end - begin:
                raise OSError(errno.EIO, f"{len(data)} bytes from {begin} on, {end - begin} were expected", self.url)
            return begin, data

        pieces = ((at, min(at + BLOCK_BYTES, end)) for begin, end in stretches for at in range(begin, end, BLOCK_BYTES))
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            while some := list(islice(pieces, AT_A_TIME)):
                yield from threads.map(read, some)

    def size(self) -> int | None:
        """Bytes of the file; None when there is none.

        Raises:
            OSError: the store does not say.
        """
        try:
            with told(self.url):
                store = self.store()
                store.invalidate_cache()  # it answers from what it was told before
                found = store.info(self.url)
        except FileNotFoundError:
            return None
        return int(found["size"]) if found["type"] == "file" else None

    def modified_ns(self) -> int:
        """When the file was written, in nanoseconds since 1970, to the second; 0 where the store does not say.

        Raises:
            OSError: as `open`.
        """
        with told(self.url):
            about = self.store().info(self.url)
        when = next((about[key] for key in _MODIFIED if about.get(key)), None)
        when = datetime.fromisoformat(when) if isinstance(when, str) else when
        return int(when.timestamp()) * 10**9 if isinstance(when, datetime) else 0

    def write(self, data: bytes) -> None:
        """Make it a file of these bytes.

        Raises:
            OSError: the store does not take it.
        """
        with told(self.url, writes=True):
            self.store().pipe_file(self.url, data)

    def create(self, data: bytes) -> bool:
        """Make it a file of these bytes, unless there is one, which is left as it is; whether it was made.

        Two that do so at the same moment may both be told so by a store that cannot: who reads it finds the last.

        Raises:
            OSError: the store does not take it.
        """
        if self.size() is not None:
            return False
        exclusively = {"mode": "create"} if self.creates_alone else {}
        try:
            with told(self.url, writes=True):
                self.store().pipe_file(self.url, data, **exclusively)
        except FileExistsError:
            return False
        return True

    @property
    def creates_alone(self) -> bool:
        """Whether of two that create the file at the same moment one is told that there is one."""
        return self.url.startswith(_EXCLUSIVE)

    def store(self) -> Any:
        """What speaks to the store.

        Raises:
            DependencyError: the extra is missing.
        """
        scheme = self.url.partition("://")[0]
        package, extra = STORES[scheme]
        try:
            import fsspec

            store = fsspec.filesystem(scheme)
            return with_plain_names(store) if scheme == "msc" else store
        except ImportError as error:
            raise missing_extra(package, extra) from error
