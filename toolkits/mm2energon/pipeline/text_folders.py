"""Text folders: the pictures of a text in a folder of their own, and beside it the sidecar that says they are finished.

    pages/book_00012/000001.png, 000002.png, ...
    pages/book_00012.json     {"fps": "2.0", "frame_bytes": [30356, ...], "made_of": "sha256 ..."}

The sidecar is written last and taken away first. By it a run that was cut off goes on, and a finished one draws
nothing. Its fps is the one that `shard` takes for lists of frames, whichever way the pictures are named.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm2energon.images.text_pages import PageStyle, draw_page, readable
from mm2energon.jsonio import dumps, loads
from mm2energon.roots import read_regular
from mm2energon.storage import remove_leftovers, sync_folder, write_whole

#: Grows when the same text is drawn another way.
_VERSION = 1
_FPS = "2.0"
_DIGITS = 6
_PICTURE = re.compile(r"\d{6,}\.png")
_MOST_SIDECAR_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class Pages:
    """The pictures of a text: how many there are, and whether they had to be drawn."""

    count: int
    drawn: bool

    @property
    def names(self) -> list[str]:
        """Their names, in order."""
        digits = max(_DIGITS, len(str(self.count)))
        return [f"{number:0{digits}d}.png" for number in range(1, self.count + 1)]


def digest(text: str, style: PageStyle) -> str:
    """What decides the pictures of a text, as one word."""
    about = json.dumps([_VERSION, style.identity()], sort_keys=True).encode()
    return hashlib.sha256(about + b"\0" + readable(text).encode("utf-8", "surrogatepass")).hexdigest()


def finished_pages(folder: Path, made_of: str) -> Pages | None:
    """The pictures that lie in `folder`, where they were made of that and are all there; else None."""
    try:
        sidecar = loads(read_regular(_sidecar(folder), most_bytes=_MOST_SIDECAR_BYTES))
        sizes = sidecar["frame_bytes"] if sidecar["made_of"] == made_of else []
        pages = Pages(len(sizes), drawn=False)
        there = {path.name: path.stat().st_size for path in folder.iterdir()}
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return pages if sizes and there == dict(zip(pages.names, sizes, strict=True)) else None


def write_pages(folder: Path, laid_out: Sequence[Sequence[str]], style: PageStyle, made_of: str) -> Pages:
    """Draw the lines of pages into `folder`; pictures of an earlier text go."""
    pages = Pages(len(laid_out), drawn=True)
    _sidecar(folder).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    names = set(pages.names)
    for path in _pictures(folder):
        if path.name not in names:
            path.unlink()
    sizes = []
    for name, lines in zip(pages.names, laid_out, strict=True):
        data = draw_page(lines, style)
        with write_whole(folder / name) as file:
            file.write(data)
        sizes.append(len(data))
    about: dict[str, Any] = {"fps": _FPS, "frame_bytes": sizes, "made_of": made_of}
    with write_whole(_sidecar(folder)) as file:
        file.write(dumps(about) + b"\n")
    return pages


def sweep(folder: Path, *, keep: Collection[str]) -> bool:
    """Take away the pictures below `folder` that no entry has any more; whether there were any.

    Args:
        keep: names of the folders that stay.
    """
    stale = [path for path in folder.iterdir() if path.name.removesuffix(".json") not in keep]
    for path in stale:
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            continue
        remove_leftovers(path)
        for picture in _pictures(path):
            picture.unlink()
        with suppress(OSError):  # something else was put into it
            path.rmdir()
    if stale:
        sync_folder(folder)
    return bool(stale)


def _pictures(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if _PICTURE.fullmatch(path.name)]


def _sidecar(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")
