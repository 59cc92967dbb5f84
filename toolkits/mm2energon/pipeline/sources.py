"""Where annotations come from: the files below a dataset root, read as one stream of entries."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError, SampleError
from mm2energon.formats.media import PLURALS
from mm2energon.jsonio import read_entries
from mm2energon.pipeline.account import SET_ASIDE_NAME
from mm2energon.pipeline.ledger import STATE_FOLDER, is_derived, is_own_output
from mm2energon.storage import inside_root

_SUFFIXES = (".json", ".jsonl")
#: Entries looked at to tell an annotation file from another json.
_PEEKED = 20


def find_annotations(root: Path) -> tuple[list[str], list[str]]:
    """The annotation files below `root`, and the other json files there; both relative to it, sorted.

    Our own outputs are neither: shards and their metadata, sidecars of frames, datasets that we merged.
    """
    found: list[str] = []
    others: list[str] = []
    for path in sorted(_json_files(root)):
        name = path.relative_to(root).as_posix()
        if is_derived(path, root):
            continue
        if holds_annotations(path):
            found.append(name)
        elif not _is_sidecar(path):
            others.append(name)
    return found, others


def holds_annotations(path: Path) -> bool:
    """Whether one of the first entries is of a known format, or is no JSON: then its loss has to be told."""
    entries = list(islice(read_entries(path), _PEEKED))
    for entry in entries:
        for one in islice(formats.unwrap(entry), _PEEKED):
            if one.error is None and any(form.matches(one.value) for form in formats.FORMATS.values()):
                return True
    return any(entry.error is not None for entry in entries)


def rebase(entry: Mapping[str, Any], folder: str, root: Path, *, origin: str) -> dict[str, Any]:
    """A ShareGPT entry with its media paths made relative to the dataset root.

    A path is looked for beside the annotation file first, then below the root.

    Args:
        folder: the folder of the annotation file, relative to the root.

    Raises:
        MediaError: `outside-root` or `missing-media`.
    """

    def place(path: str) -> str:
        beside = inside_root(root, os.path.join(folder, path), origin=origin)  # noqa: PTH118 (may be absolute)
        if folder and not (root / beside).exists():
            below = inside_root(root, path, origin=origin)
            if (root / below).exists():
                return below
        return beside

    rebased = dict(entry)
    for key in PLURALS.values():
        if isinstance(entry.get(key), list):
            rebased[key] = [[place(p) for p in m] if isinstance(m, list) else place(m) for m in entry[key]]
    return rebased


def only_annotation_file(folder: Path) -> Path:
    """The one annotation file of a folder, for a command that was given none.

    Raises:
        InputError: there is none, or more than one.
    """
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in _SUFFIXES and path.is_file() and not is_own_output(path) and holds_annotations(path)
    ]
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:5]) or "none"
        raise InputError(
            f"{folder}: annotation files found: {names}; exactly one was expected; name one with --input-file"
        )
    return found[0]


def _json_files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if ".nv-meta" in folders:  # finished shards: nothing in there is an annotation
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != STATE_FOLDER)
        for name in files:
            is_json = name.endswith(_SUFFIXES) and not name.startswith(".") and name != SET_ASIDE_NAME
            if is_json and (here / name).is_file():  # no dangling link, no pipe
                yield here / name


def _is_sidecar(path: Path) -> bool:
    try:
        entry = next(read_entries(path), None)
    except (InputError, SampleError):
        return False
    return entry is not None and isinstance(entry.value, Mapping) and "fps" in entry.value
