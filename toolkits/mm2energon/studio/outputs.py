"""Outputs: folders that may be written to: below the roots that were opened at the start, links included."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mm2energon.errors import InputError

#: Bytes of the longest name that any file system takes.
_MOST_NAME_BYTES = 255


def output_folder(written: str, roots: Sequence[Path], *, holds: Sequence[str] = ()) -> Path:
    """The folder that a page names, which need not be there yet; a relative one is below the first root.

    Args:
        roots: folders, resolved, below which may be written.
        holds: folders in it that are written to as well: a link in the place of one would lead elsewhere.

    Raises:
        InputError: it is no name of a folder, or lies outside of all roots, or one that it holds does.
    """
    _check_name(written)
    real = _followed(Path(os.path.normpath(roots[0] / written)), written)
    for name in ("", *holds):
        place = _followed(real / name, f"{written}/{name}") if name else real
        if not any(map(place.is_relative_to, roots)):
            what = f"its folder {name} is a link that leads" if name else "lies"
            raise InputError(
                f"output {written[:200]!r}: {what} outside of what the studio may write to; a folder below "
                f"{' or '.join(map(str, roots))} was expected; choose one, or start with --output-root"
            )
    return real


def _followed(path: Path, written: str) -> Path:
    """A folder, links followed, which need not be there."""
    try:
        real = path.resolve()
        is_other = real.exists() and not real.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"output {written[:200]!r}: cannot be followed; the name of a folder was expected") from error
    if is_other:
        raise InputError(f"output {written[:200]!r}: is no folder; the name of one was expected")
    return real


def _check_name(written: str) -> None:
    try:
        parts = [part.encode() for part in written.split("/")]
    except UnicodeEncodeError:
        parts = []
    if not parts or not written.strip() or "\0" in written or any(len(part) > _MOST_NAME_BYTES for part in parts):
        raise InputError(f"output {written[:200]!r}: is no name of a folder; one was expected, such as training_data")
    if any(char < " " for char in written):
        raise InputError(f"output {written[:200]!r}: holds control characters; the name of a folder was expected")
