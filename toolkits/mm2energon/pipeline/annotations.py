"""Annotations: the files that make up one dataset, in order, and what their entries say that they come from."""

from __future__ import annotations

import fnmatch
import glob
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from mm2energon.errors import InputError
from mm2energon.jsonio import Entry, read_entries
from mm2energon.pipeline.sources import ANNOTATION_SUFFIXES, annotation_files_in, told_apart
from mm2energon.remote import Place, Remote
from mm2energon.roots import name_from

_PATTERN = frozenset("*?[")


class Files(NamedTuple):
    """The annotation files that were asked for."""

    paths: tuple[Place, ...]
    #: Json files of folders that were asked for, which hold no annotations.
    passed_over: tuple[Place, ...] = ()


def files_of(root: Place, given: Sequence[Place]) -> Files:
    """The annotation files that were asked for, in the order given; those of a folder or of a pattern by name.

    Args:
        given: files, folders and patterns (`parts/*.jsonl`), relative to the dataset root or by themselves.

    Raises:
        InputError: a folder holds none, a pattern meets none, or a file is there twice.
    """
    met = [_files_below(root, one) for one in given]
    found = Files(*(tuple(chain.from_iterable(some)) for some in zip(*met, strict=True)))
    twice = [path for path, count in Counter(map(_resolved, found.paths)).items() if count > 1]
    if twice:
        raise InputError(f"--json {twice[0]}: is given twice; every entry would be; each file once was expected")
    return found


def _resolved(place: Place) -> Place:
    return place.resolve() if isinstance(place, Path) else place


def _files_below(root: Place, given: Place) -> tuple[Sequence[Place], Sequence[Place]]:
    """Files that are asked for, and those that are passed over."""
    if isinstance(root, Path) and isinstance(given, Path):
        return _files(root, given)
    if isinstance(given, Path) and given.is_absolute():
        return _files(Path(given.anchor), given)
    return _remote_files(given if isinstance(given, Remote) else Remote(f"{root}/{given.as_posix()}"))


def _remote_files(given: Remote) -> tuple[list[Remote], list[Remote]]:
    if given.size() is not None:
        return [given], []
    if _PATTERN.isdisjoint(given.name):
        names = [name for name, _ in given.files() if name.lower().endswith(ANNOTATION_SUFFIXES)]
        found, others = told_apart(given / name for name in names)
        return (found, others) if found else ([given], [])
    folder = Remote(given.url.rpartition("/")[0])
    names = [name for name, _ in folder.files() if fnmatch.fnmatchcase(name, given.name)]
    if not names:
        raise InputError(f"--json {given}: no file has such a name; a pattern that meets some was expected")
    return [folder / name for name in names], []


def _files(root: Path, given: Path) -> tuple[list[Path], list[Path]]:
    path = root / given
    if path.is_dir():
        found, others = annotation_files_in(path)
        if not found:
            raise InputError(
                f"--json {path}: is a folder without annotation files; .json or .jsonl were expected in it"
            )
        return found, others
    if path.exists() or _PATTERN.isdisjoint(str(given)):
        return [path], []
    pattern = str(given) if given.is_absolute() else glob.escape(f"{root}/") + str(given)
    met = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 (may be absolute)
    if not (found := [one for one in met if one.is_file()]):
        raise InputError(
            f"--json {given}: no file below {root} has such a name; a pattern that meets some was expected"
        )
    return found, []


def names_of(root: Path, files: Sequence[Place]) -> list[str]:
    """What each file is called in origins: its own name, or its path below the root where several have that name."""
    counts = Counter(path.name for path in files)
    return [path.name if counts[path.name] == 1 else _long_name(root, path) for path in files]


def _long_name(root: Path, place: Place) -> str:
    return name_from(root, place) if isinstance(place, Path) else place.url


def entries_of(root: Path, files: Sequence[Place]) -> Iterator[Entry]:
    """The entries of annotation files, which are one dataset.

    Raises:
        InputError: one of them cannot be read.
    """
    for path, name in zip(files, names_of(root, files), strict=True):
        yield from read_entries(path, name=name)
