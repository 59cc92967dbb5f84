"""Recordings: the files that a person names, by path, folder or pattern, each with an id of its own."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from mm2energon.errors import InputError

#: Endings of files in a folder that are taken for recordings; a file that is named may have any.
ENDINGS = tuple(
    f".{ending}"
    for ending in (
        *("mp4", "m4v", "mkv", "mov", "avi", "webm", "flv", "wmv", "ts", "mts", "m2ts", "mpg", "mpeg", "ogv", "3gp"),
        *("mka", "wav", "m4a", "mp3", "ogg", "oga", "opus", "flac", "aac", "wma", "aiff", "caf"),
    )
)

#: Bytes that an id may have.
_ID_BYTES = 160


@dataclass(frozen=True, slots=True)
class Recording:
    """A file with voices on its tracks."""

    path: Path
    #: What it is called in messages and in the output: its path, as far as it differs from the others'.
    name: str
    #: What the ids of its conversations begin with.
    id: str


def find_recordings(given: Sequence[str]) -> list[Recording]:
    """The recordings that are named, in the order of the names, each once.

    Args:
        given: files, folders (what lies below them and sounds), patterns (`talks/*.mkv`).

    Raises:
        InputError: one of them names nothing.
    """
    by_place: dict[Path, Path] = {}
    for path in (path for one in given for path in _named(one)):
        by_place.setdefault(path.resolve(), path)
    found = list(by_place.values())
    if not found:
        raise InputError("video_path: at least one recording, folder or pattern was expected")
    common = os.path.commonpath({path.parent.absolute() for path in found})
    names = [Path(os.path.relpath(path.absolute(), common)).as_posix() for path in found]
    return [Recording(path, name, own) for path, name, own in zip(found, names, _ids(names), strict=True)]


def _ids(names: Sequence[str]) -> Iterator[str]:
    """An id for each name: without its ending, where another name does not have the same."""
    plain = [Path(name).with_suffix("").as_posix() for name in names]
    seen = Counter(plain)
    given: Counter[str] = Counter()
    for name, short in zip(names, plain, strict=True):
        own = shortened((name if seen[short] > 1 else short).replace("/", "-"))
        given[own] += 1
        yield own if given[own] == 1 else f"{own}.{given[own]}"


def shortened(own: str) -> str:
    """An id, or what shall be part of a file's name, that leaves room in it: file systems take 255 bytes."""
    data = own.encode("utf-8", "surrogatepass")
    if len(data) <= _ID_BYTES:
        return own
    digest = hashlib.sha256(data).hexdigest()[:8]
    return f"{data[: _ID_BYTES - 9].decode('utf-8', 'ignore')}-{digest}"


def _named(one: str) -> Iterator[Path]:
    path = Path(one)
    if path.is_dir():
        below = [each for each in sorted(path.rglob("*")) if each.suffix.lower() in ENDINGS and each.is_file()]
        shown = [each for each in below if not any(part.startswith(".") for part in each.relative_to(path).parts)]
        if not shown:
            raise InputError(f"{one}: no recording below it; files such as .mp4, .mkv or .wav were expected")
        yield from shown
    elif path.exists():
        yield path
    elif has_magic(one):
        matching = sorted(Path(each) for each in glob(one, recursive=True))  # noqa: PTH207 (a pattern may be absolute)
        files = [each for each in matching if each.is_file()]
        if not files:
            raise InputError(f"{one}: no file matches; a pattern such as 'talks/*.mkv' was expected")
        yield from files
    else:
        raise InputError(f"{one}: no such file; a recording, a folder of them or a pattern was expected")
