"""Folders that appear whole or not at all: checkpoints, and the finished adapter."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm2energon.jsonio import dumps, loads
from mm2energon.storage import sync_folder, write_whole

#: Written last into a folder: the size of each of its files.
WHOLE = "whole.json"
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_UNFINISHED = ".{}.unfinished"


def unfinished(folder: Path) -> Path:
    """Where a folder is written until it is whole."""
    return folder.with_name(_UNFINISHED.format(folder.name))


def start_folder(folder: Path) -> Path:
    """An empty place to write a folder to; what a run that was killed left of it goes."""
    place = unfinished(folder)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def finish_folder(folder: Path) -> None:
    """Give a folder that was written its name, once all of it is on the disk."""
    place = unfinished(folder)
    files = [path for path in sorted(place.rglob("*")) if path.is_file()]
    for path in files:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    with write_whole(place / WHOLE) as listed:
        listed.write(dumps({path.relative_to(place).as_posix(): path.stat().st_size for path in files}))
    usual = (place / WHOLE).stat().st_mode
    for path in files:  # safetensors lets nobody else read what it writes
        path.chmod(usual)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    place.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder that appears when the block ends well."""
    place = start_folder(folder)
    try:
        yield place
        finish_folder(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def is_whole(folder: Path) -> bool:
    """Whether all files of a folder are there, as long as they were written."""
    try:
        sizes = loads((folder / WHOLE).read_bytes())
        return bool(sizes) and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def checkpoint_folder(output: Path, step: int) -> Path:
    """The checkpoint behind a step."""
    return output / f"checkpoint-{step}"


def checkpoints(output: Path) -> list[tuple[int, Path]]:
    """The steps and folders of all checkpoints that are whole, in order."""
    found = []
    for path in output.glob("checkpoint-*"):
        name = _CHECKPOINT.fullmatch(path.name)
        if name and is_whole(path):
            found.append((int(name[1]), path))
    return sorted(found)


def last_checkpoint(output: Path) -> tuple[int, Path] | None:
    """The step and folder of the last checkpoint that is whole."""
    found = checkpoints(output)
    return found[-1] if found else None


def keep_last(output: Path, count: int) -> None:
    """Remove all but the last checkpoints."""
    for _, path in checkpoints(output)[:-count]:
        shutil.rmtree(path, ignore_errors=True)


def remove_run(output: Path) -> None:
    """Remove what a run wrote that is begun anew; frames that were decoded stay, for they tell what made them."""
    for pattern in ("checkpoint-*", ".checkpoint-*.unfinished", "final_checkpoint"):
        for path in output.glob(pattern):
            shutil.rmtree(path, ignore_errors=True)
    for name in ("metrics.jsonl", "set_aside_in_training.jsonl"):
        (output / name).unlink(missing_ok=True)
