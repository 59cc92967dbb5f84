"""Sources: the annotation files below a dataset root, told from our own outputs and from any other JSON there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from mm2energon import formats
from mm2energon.errors import InputError
from mm2energon.jsonio import Entry, read_entries
from mm2energon.pipeline.account import is_account, is_account_name
from mm2energon.pipeline.ledger import STATE_FOLDER, noted, sha256_of
from mm2energon.pipeline.report import is_report
from mm2energon.remote import Place, Remote

ANNOTATION_SUFFIXES = (".json", ".jsonl")
#: Of the files of a review, beside its data; of kept answers, where it is noted when that was.
JOURNAL_SUFFIX, KEPT_SUFFIX, KEPT_KEY = ".review.jsonl", ".kept.jsonl", "kept"
#: Entries looked at to tell an annotation file from another json.
_PEEKED = 20
#: Broken JSON is an annotation file where one of these words stands in its first bytes: then its loss has to be told.
_WORDS = (b'"conversations"', b'"messages"')
_PEEKED_BYTES = 1 << 16
#: Why most of them are none.
NO_ANNOTATIONS = "holds no annotations"
_NO_JSON = "is not valid JSON, and seems to hold no annotations"

AnyPlace = TypeVar("AnyPlace", Path, Remote)


@dataclass
class Found:
    """The json files below a root; names relative to it, sorted."""

    annotations: list[str] = field(default_factory=list)
    #: What is none: name -> why, for files and for folders that cannot be looked into.
    ignored: dict[str, str] = field(default_factory=dict)
    #: Of `annotations`: a dataset that an earlier run made, and that alone is left.
    own: str | None = None

    @property
    def unread(self) -> dict[str, str]:
        """Those of `ignored` that may hold annotations for all that is known: they could not be read."""
        return {name: why for name, why in self.ignored.items() if why not in (NO_ANNOTATIONS, _NO_JSON)}


def find_annotations(root: Path, *, output: Path | None = None) -> Found:
    """The annotation files below `root`.

    Our own outputs are none: shards and their metadata, sidecars of frames, accounts. A dataset that `frames` made for
    this root is one only where there is no other; one that `normalize` made, where its source is not found.

    Args:
        output: which of several datasets of earlier runs is meant.

    Raises:
        InputError: several datasets of earlier runs, and nothing else, are there.
    """
    found = Found()
    made: dict[str, dict[str, Any]] = {}
    for path in _json_files(root, found.ignored):
        name = path.relative_to(root).as_posix()
        about = _own(path)
        if is_account(about) or is_report(path):
            continue
        if about is not None:
            made[name] = about
        elif (why := why_no_annotations(path)) is None:
            found.annotations.append(name)
        elif why:
            found.ignored[name] = why
    merged = _sort_out(found, made, root)
    if not found.annotations and merged:
        found.own = _one_of(merged, root, output)
        found.annotations = [found.own]
    found.annotations.sort()
    return found


def why_no_annotations(path: Place) -> str | None:
    """Why a json file is no annotation file; None when it is one, empty when it is a file that we know."""
    try:
        entries = list(islice(read_entries(path), _PEEKED))
        if entries and _is_of_review(path.name, entries[0].value):
            return ""
        if any(_is_annotation(entry) for entry in entries):
            return None
        broken = next((entry.error for entry in entries if entry.error is not None), None)
        with path.open("rb") as file:
            head = file.read(_PEEKED_BYTES)
    except InputError as error:
        return str(error).removeprefix(f"{path.name}: ").removeprefix(f"{path}: ")
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if broken is not None:
        return None if any(word in head for word in _WORDS) else _NO_JSON
    first = entries[0].value if entries else None
    if isinstance(first, Mapping) and ("fps" in first or (is_account_name(path.name) and "reason" in first)):
        return ""
    return NO_ANNOTATIONS


def _is_of_review(name: str, first: Any) -> bool:
    """Whether a file holds decisions, or answers of models that were kept for review and that nobody accepted yet."""
    if not isinstance(first, Mapping):
        return False
    if name.endswith(KEPT_SUFFIX):
        return isinstance(first.get("extra"), Mapping) and KEPT_KEY in first["extra"]
    return name.endswith(JOURNAL_SUFFIX) and {"version", "do", "entries"} <= set(first)


def only_annotation_file(folder: Path) -> Path:
    """The one annotation file of a folder, for a command that was given none.

    Raises:
        InputError: there is none, or more than one.
    """
    found = [path for path in _annotations_in(folder) if _own(path) is None]
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:5]) or "none"
        raise InputError(
            f"{folder}: annotation files found: {names}; exactly one was expected; name one with --input-file"
        )
    return found[0]


def annotation_files_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """The annotation files of a folder, and its json files that hold none, by name.

    What we made of the first is left out, and taken where nothing else is.
    """
    found, others = told_apart(path for path in _json_files_in(folder) if not is_report(path))
    return [path for path in found if _own(path) is None] or found, others


def told_apart(paths: Iterable[AnyPlace]) -> tuple[list[AnyPlace], list[AnyPlace]]:
    """Those of some json files that hold annotations, and those that hold something else that we do not know.

    One that cannot be read is one of the first: whoever reads it is told why.
    """
    found, others = [], []
    for path in paths:
        why = why_no_annotations(path)
        if why in (NO_ANNOTATIONS, _NO_JSON):
            others.append(path)
        elif why != "":
            found.append(path)
    return found, others


def _annotations_in(folder: Path) -> list[Path]:
    return [path for path in _json_files_in(folder) if not is_report(path) and why_no_annotations(path) is None]


def _json_files_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if _is_json(path)]


def _is_annotation(entry: Entry) -> bool:
    known = formats.FORMATS.values()
    peeked = islice(formats.unwrap(entry), _PEEKED)
    return any(one.error is None and any(form.matches(one.value) for form in known) for one in peeked)


def _json_files(root: Path, ignored: dict[str, str]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        ignored[Path(error.filename).relative_to(root).as_posix()] = f"cannot be read ({error.strerror})"

    paths: list[Path] = []
    for folder, folders, files in os.walk(root, onerror=note):
        here = Path(folder)
        if ".nv-meta" in folders:  # finished shards: nothing in there is an annotation
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != STATE_FOLDER)
        paths += [here / name for name in files if not name.startswith(".") and _is_json(here / name)]
    yield from sorted(paths)


def _is_json(path: Path) -> bool:
    """Whether a regular file is JSON by its name: no dangling link, no pipe."""
    return path.suffix.lower() in ANNOTATION_SUFFIXES and os.path.isfile(path)  # noqa: PTH113 (Path raises where it may not look)


def _own(path: Path) -> dict[str, Any] | None:
    """What the ledger says of a file, when it is an unchanged output of ours."""
    try:
        return noted(path)
    except OSError:
        return None


def _sort_out(found: Found, made: Mapping[str, dict[str, Any]], root: Path) -> list[str]:
    """Add the outputs whose sources are not there to the annotations; the datasets that `frames` made for this root."""
    merged = [name for name, about in made.items() if _is_merged(root / name, about, root)]
    there = {(root / name).resolve() for name in [*found.annotations, *made]}
    digests: set[str | None] = set()
    for name in sorted(set(made) - set(merged)):
        sources: dict[str, str] = made[name].get("sources", {})
        paths = [((root / name).parent / source).resolve() for source in sources]
        if there.isdisjoint(paths):
            digests = digests or {sha256_of(root / other) for other in found.annotations}
            if digests.isdisjoint(sources.values()):
                found.annotations.append(name)
    return merged


def _is_merged(path: Path, about: Mapping[str, Any], root: Path) -> bool:
    made_for = about.get("root")
    return about.get("by") == "frames" and made_for is not None and (path.parent / made_for).resolve() == root.resolve()


def _one_of(merged: list[str], root: Path, output: Path | None) -> str:
    meant = [name for name in merged if output is not None and root / name == output]
    if len(merged) > 1 and not meant:
        raise InputError(
            f"{root}: the only annotation files are datasets of earlier runs: {', '.join(merged[:5])}; "
            "one of them was expected; take the others out, or name one as --output-json"
        )
    return meant[0] if meant else merged[0]
