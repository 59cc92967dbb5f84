"""Object storage: a folder of a store, named by a URL, behind one small interface; fsspec speaks to the store.

    s3://bucket/folder           Amazon S3 and what speaks its protocol (s3fs)
    gs://bucket/folder           Google Cloud Storage (gcsfs)
    hf://datasets/owner/name     the Hugging Face hub (huggingface_hub)
    msc://profile/folder         what a profile of NVIDIA's multi-storage-client names, which Energon itself reads
    file:///folder               this machine: a path as any other

Credentials and endpoints come from where the store's own tools have them (environment, its configuration files).
"""

from __future__ import annotations

import argparse
import errno
import re
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mm2energon.remote.faults import told
from mm2energon.remote.file import AT_A_TIME, STORES, RemoteFile
from mm2energon.remote.stream import BLOCK_BYTES
from mm2energon.storage import TEMPORARY_SUFFIX

__all__ = ["STORES", "Place", "Remote", "is_there", "place"]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_ONE_SLASH = re.compile(r"([A-Za-z0-9]+):/(?!/)")
#: What a path would lose, and a store keeps.
_NO_NAMES = {"", ".", ".."}


@dataclass(frozen=True, slots=True)
class Remote(RemoteFile):
    """A file or folder of a store."""

    def __truediv__(self, name: str) -> Remote:
        return Remote(f"{self.url}/{name}")

    @property
    def parent(self) -> Remote:
        """The folder that it lies in."""
        return Remote(self.url.rpartition("/")[0])

    def with_name(self, name: str) -> Remote:
        """Another file of its folder."""
        return self.parent / name

    def files(self, *, deep: bool = False) -> Iterator[tuple[str, int]]:
        """Name and bytes of the files of the folder, and of those below it, in which case the names are paths.

        Raises:
            OSError: the store does not say.
        """
        with told(self.url):
            store = self.store()
            store.invalidate_cache()
            root = store._strip_protocol(self.url)
            levels = store.walk(self.url, maxdepth=None if deep else 1, detail=True, on_error="raise")
        while True:
            try:
                with told(self.url):
                    folder, _, files = next(levels)
            except (StopIteration, FileNotFoundError):
                return
            below = str(folder)[len(root) :].strip("/")
            for name, about in sorted(files.items()):
                if name:
                    yield (f"{below}/{name}" if below else name), int(about["size"])

    def walk(self) -> Iterator[tuple[str, dict[str, int], list[str]]]:
        """The folder and those below it, by path: their files with their bytes, and the names of their folders.

        Only those folders are looked into that are left in the list.

        Raises:
            OSError: the store does not say.
        """
        waiting: deque[str] = deque([""])
        asked: deque[Future[tuple[str, dict[str, int], list[str]]]] = deque()
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            while waiting or asked:
                while waiting and len(asked) < 2 * AT_A_TIME:
                    asked.append(threads.submit(self._listed, waiting.popleft()))
                folder, files, folders = asked.popleft().result()
                yield folder, files, folders
                waiting.extend(f"{folder}/{name}" if folder else name for name in folders)

    def _listed(self, below: str) -> tuple[str, dict[str, int], list[str]]:
        here = self / below if below else self
        files: dict[str, int] = {}
        folders: list[str] = []
        try:
            with told(here.url):
                store = here.store()
                found = store.ls(here.url, detail=True, refresh=True)
                store.invalidate_cache(here.url)  # it would remember all that there is
        except FileNotFoundError:
            return below, files, folders
        itself = store._strip_protocol(here.url).rstrip("/")
        for about in found:
            path = str(about["name"]).rstrip("/")
            if path == itself:
                continue  # a folder is an object of its own in some stores
            name = path.rpartition("/")[2]
            if about["type"] == "directory":
                folders.append(name)
            elif not str(about["name"]).endswith("/"):
                files[name] = int(about["size"])
        return below, dict(sorted(files.items())), sorted(folders)

    def fetch(self, names: Iterable[str], folder: Path) -> dict[str, int]:
        """Bring files of the folder into one of this machine, each whole; name -> bytes of those that there are.

        Raises:
            OSError: the store does not give them, or the disk does not take them.
        """

        def bring(name: str) -> tuple[str, int | None]:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{secrets.token_hex(8)}{TEMPORARY_SUFFIX}")
            try:
                with told(f"{self.url}/{name}"):
                    self.store().get_file(f"{self.url}/{name}", str(part))
            except (FileNotFoundError, IsADirectoryError):
                return name, None
            size = part.stat().st_size
            part.replace(path)
            return name, size

        with ThreadPoolExecutor(AT_A_TIME) as threads:
            return {name: size for name, size in threads.map(bring, names) if size is not None}

    def send(self, names: Iterable[str], folder: Path) -> None:
        """Send files of a folder of this machine; each appears in the store when all of it is there.

        Raises:
            OSError: the store does not take them.
        """

        def put(name: str) -> None:
            with told(f"{self.url}/{name}", writes=True):
                self.store().put_file(str(folder / name), f"{self.url}/{name}")
            # What goes in one request the store counts itself.
            sent = (folder / name).stat().st_size
            if sent > BLOCK_BYTES and (arrived := (self / name).size()) != sent:
                raise OSError(errno.EIO, f"{arrived} bytes arrived, {sent} were sent", f"{self.url}/{name}")

        with ThreadPoolExecutor(AT_A_TIME) as threads:
            for _ in threads.map(put, names):
                pass

    def remove(self, names: Sequence[str]) -> None:
        """Take files of the folder away, as far as they are there.

        Raises:
            OSError: the store does not let go of them.
        """
        for name in names:
            try:
                with told(f"{self.url}/{name}"):
                    self.store().rm_file(f"{self.url}/{name}")
            except FileNotFoundError:
                continue

    @property
    def energon_url(self) -> str | None:
        """By which Energon reads it, which speaks to stores by multi-storage-client alone; None where it cannot."""
        scheme, _, rest = self.url.partition("://")
        if scheme in ("s3", "gs"):
            bucket, _, path = rest.partition("/")
            return f"msc://_{scheme}-{bucket}/{path}"  # what it calls a bucket that has no profile
        return self.url if scheme == "msc" else None


#: Where something lies: a path of this machine, or in a store.
Place = Path | Remote


def is_there(place: Place) -> bool:
    """Whether there is such a file.

    Raises:
        OSError: the store does not say.
    """
    return place.is_file() if isinstance(place, Path) else place.size() is not None


def place(text: str) -> Place:
    """What a URL or a path names (a type of argparse).

    Raises:
        argparse.ArgumentTypeError: there is no such store, or no folder of one can be called so.
    """
    slipped = _ONE_SLASH.match(text)
    if slipped is not None and (slipped[1].lower() in STORES or slipped[1].lower() == "file"):
        scheme = slipped[1].lower()
        meant = f"{scheme}://{text[slipped.end() - (scheme == 'file') :]}"
        raise argparse.ArgumentTypeError(f"{text!r} has one slash behind the colon; {meant} was expected")
    found = _URL.fullmatch(text)
    if found is None:
        return Path(text)
    scheme, rest = found[1].lower(), found[2]
    if scheme == "file":
        host, _, path = rest.partition("/")  # not urlsplit, for which a name ends at # and ?
        if host not in ("", "localhost"):
            raise argparse.ArgumentTypeError(f"{text!r} names another machine; file:///path was expected")
        return Path("/" + unquote(path))
    rest = rest.rstrip("/")
    if scheme not in STORES or not rest:
        known = ", ".join(f"{name}://" for name in (*STORES, "file"))
        raise argparse.ArgumentTypeError(f"{text!r} names no store; a path, or one of {known} was expected")
    if not _NO_NAMES.isdisjoint(rest.split("/")):
        raise argparse.ArgumentTypeError(
            f"{text!r} holds '//', '.' or '..', which stores take for names of folders; the plain URL was expected"
        )
    return Remote(f"{scheme}://{rest}")
