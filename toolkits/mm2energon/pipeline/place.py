"""Place: where the merged dataset goes, and what becomes of a file that stands there already.

Nothing is touched here before the dataset is written: a run that cannot start leaves everything as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.pipeline.account import is_account_name
from mm2energon.pipeline.ledger import STATE_FOLDER, noted, was_changed
from mm2energon.pipeline.sources import Found
from mm2energon.video.places import VIDEO_SUFFIXES, frame_places


def check_place(output: Path, root: Path) -> None:
    """Refuse an output that is no file below the root, or the place of another file of ours.

    Raises:
        InputError: it is.
    """
    inside = output != root and output.resolve().is_relative_to(root.resolve())
    if not inside or output.is_dir() or any(parent.exists() and not parent.is_dir() for parent in output.parents):
        what = "is a folder" if output.is_dir() else "is no file below the dataset root"
        raise InputError(
            f"--output-json {output}: {what}; the name of a file below {root} was expected, such as dataset.json"
        )
    if STATE_FOLDER in output.parts or is_account_name(output.name):
        raise InputError(
            f"--output-json {output}: is where mm2energon keeps its own accounts; "
            "choose another name, such as dataset.json"
        )
    if output.parent.is_dir():
        videos = (path for path in output.parent.iterdir() if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
        check_no_sidecar(output, videos)


def check_no_sidecar(output: Path, videos: Iterable[Path]) -> None:
    """Refuse an output that is where the fps of a video's frames is written.

    Raises:
        InputError: it is.
    """
    for video in videos:
        if video.parent != output.parent or video == output:
            continue
        if any(place is not None and place.sidecar == output for place in frame_places(video)):
            raise InputError(
                f"--output-json {output}: is where the fps of the frames of {video.name} is written; "
                "choose another --output-json, or rename the video"
            )


def keeps_what_is_there(output: Path, found: Found, root: Path) -> bool:
    """Whether a file that stands where the output goes is an input, which is to be kept under another name.

    Raises:
        InputError: it may be an input or not, or it is ours, but changed.
    """
    if not output.exists():
        return False
    name = output.relative_to(root).as_posix()
    if noted(output) is not None:
        return name in found.annotations and name != found.own
    if was_changed(output):
        raise InputError(
            f"{output}: was written by mm2energon and changed by somebody since; writing it anew would lose that; "
            "move it out of the dataset, or choose another --output-json"
        )
    others = [other for other in found.annotations if other != name]
    if others:
        raise InputError(
            f"{output}: is not known as an output of mm2energon, and there are other annotation files "
            f"({', '.join(others[:3])}); an output or an input? If an earlier run made it, delete it; "
            "if it is an input, rename it, or choose another --output-json"
        )
    return True


def kept_as(output: Path) -> Path:
    """A free name beside the output, for the file that stands there."""
    names = (f"{output.stem}.original{number}{output.suffix}" for number in ("", *(f".{n}" for n in range(2, 10_000))))
    return next(path for name in names if not (path := output.with_name(name)).exists())
