"""Video cache: copies of videos from outside, by what came in, up to a limit; the one that was not used longest goes.

    <folder>/                       nobody else's (0700)
      <key>.mp4                     a copy (0600); its time is when it was used last
      <key>.json                    what is known of it; written last: a copy without it is none
      work/<random>/                what is under way; a lock in it says by its process whether it still is

Several processes may have one cache. A copy is in use while somebody holds a shared lock on it; such a one never goes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.locks import LockFile
from mm2energon.storage import remove_leftovers, write_whole

_KEY = re.compile(r"[0-9a-f]{32}")
_WORK = "work"
_LOCK = "lock"
#: Bytes that the note beside a copy has at most.
_LONGEST_NOTE = 1 << 20


@dataclass(frozen=True)
class CachedVideo:
    """A copy, and what is known of it."""

    key: str
    path: Path
    #: What people call it.
    name: str
    bytes: int
    #: Seconds, pixels, pictures a second.
    duration: float
    width: int
    height: int
    fps: float
    frames: int
    has_sound: bool
    notes: tuple[str, ...] = ()
    #: The file of this machine that it was made of; empty where that came from outside.
    source: str = ""


class VideoCache:
    """The copies in one folder."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        """Make the folder, and remove what processes that are gone left half done.

        Raises:
            InputError: the folder cannot be written to, or belongs to somebody else.
        """
        self.folder = folder
        self._most_bytes = most_bytes
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
            (folder / _WORK).mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise InputError(
                f"cache {folder}: {error.strerror}; a folder of one's own was expected; choose another with --cache"
            ) from error
        self._remove_leftovers()

    def get(self, key: str) -> CachedVideo | None:
        """A copy that is there, and used now; None: it is not, or not any more."""
        found = self.look(key)
        if found is not None:
            with contextlib.suppress(OSError):
                os.utime(found.path)
        return found

    def look(self, key: str) -> CachedVideo | None:
        """A copy that is there, which is no use of it."""
        if _KEY.fullmatch(key) is None:
            return None
        path = self.folder / f"{key}.mp4"
        try:
            return _cached(key, path, json.loads(_read_note(path.with_suffix(".json")))) if path.is_file() else None
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    @contextlib.contextmanager
    def use(self, key: str) -> Iterator[CachedVideo]:
        """A copy that nobody removes until the block ends.

        Raises:
            InputError: it is not there any more.
        """
        with contextlib.ExitStack() as held:
            found = self.get(key)
            if found is None or not held.enter_context(_shared(found.path)):
                raise InputError(f"video {key[:32]}: it is not in the cache any more; give it again")
            yield found

    @contextlib.contextmanager
    def work(self) -> Iterator[Path]:
        """A folder for what is under way, which goes with the block."""
        folder = self.folder / _WORK / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        lock = LockFile.enter(folder / _LOCK)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.leave()

    def add(self, key: str, made: Path, about: dict[str, Any]) -> CachedVideo:
        """Take in a copy that was made in a folder of `work`; others go where there is no room for it.

        Args:
            about: what `CachedVideo` has beside its key, its path and its bytes.

        Raises:
            InputError: it is larger than the whole cache may be, or all others are in use.
            OSError: the disk.
        """
        size = made.stat().st_size
        with self._alone():
            self._make_room(size, but=key)
            path = self.folder / f"{key}.mp4"
            made.chmod(0o600)
            made.replace(path)
            cached = _cached(key, path, {**about, "bytes": size})
            self._note(cached)
            return cached

    def call(self, video: CachedVideo, name: str, source: str) -> CachedVideo:
        """Let a copy have the name that its content came with last, and the file of this machine, if it was one."""
        called = replace(video, name=name, source=source or video.source)
        if called != video:
            with self._alone():
                if video.path.is_file():
                    self._note(called)
        return called

    def _note(self, cached: CachedVideo) -> None:
        note = {name: value for name, value in asdict(cached).items() if name not in ("key", "path")}
        with write_whole(cached.path.with_suffix(".json")) as file:
            Path(file.name).chmod(0o600)
            file.write(json.dumps(note).encode())

    def _make_room(self, size: int, *, but: str) -> None:
        """Remove copies, the one that was not used longest first, until there is room."""
        copies = sorted((path for path in self.folder.glob("*.mp4") if path.stem != but), key=_used)
        there = sum(_size(path) for path in copies)
        for path in copies:
            if there + size <= self._most_bytes:
                return
            freed = _size(path)
            if _remove(path):
                there -= freed
        if there + size > self._most_bytes:
            found = f"no room for {size} bytes; it has {self._most_bytes}, of which {there} are in use"
            raise InputError(f"cache {self.folder}: {found}; raise --cache-size, or ask about a smaller video")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes, and other threads, from adding and removing."""
        lock = LockFile.enter(self.folder / ".lock")
        try:
            yield
        finally:
            lock.leave()

    def _remove_leftovers(self) -> None:
        with self._alone():
            remove_leftovers(self.folder)
            for folder in (self.folder / _WORK).iterdir():
                with contextlib.suppress(OSError):  # somebody is at it
                    lock = LockFile.enter(folder / _LOCK, wait=False)
                    shutil.rmtree(folder, ignore_errors=True)
                    lock.leave()
            for path in self.folder.glob("*.mp4"):
                if not path.with_suffix(".json").is_file():
                    _remove(path)


def _cached(key: str, path: Path, about: dict[str, Any]) -> CachedVideo:
    known = {one.name for one in fields(CachedVideo)} - {"key", "path"}
    values = {name: value for name, value in about.items() if name in known}
    return CachedVideo(key=key, path=path, **{**values, "notes": tuple(values.get("notes", ()))})


def _read_note(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LONGEST_NOTE)


@contextlib.contextmanager
def _shared(path: Path) -> Iterator[bool]:
    """Hold a copy as one of its users; False: it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        yield _flock(descriptor, shared=True) and os.fstat(descriptor).st_nlink > 0
    finally:
        os.close(descriptor)


def _remove(path: Path) -> bool:
    """Remove a copy that nobody uses; whether that is so."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return True
    try:
        if not _flock(descriptor, shared=False):
            return False
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _flock(descriptor: int, *, shared: bool) -> bool:
    """Hold a file as one of many, or alone; False: somebody holds it otherwise."""
    with contextlib.suppress(ImportError):  # Windows, which removes no file that is open
        import fcntl

        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks, which one process alone should have
            return True
    return True


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
