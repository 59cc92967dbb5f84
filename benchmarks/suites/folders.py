"""Folders: datasets in a scratch folder, made afresh before each run, outside what is measured."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def empty(folder: Path) -> Path:
    """The folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def video_dataset(folder: Path, videos: Sequence[Path], *, copies: int = 1) -> list[str]:
    """A dataset of videos (hard links) with one question about each; their paths."""
    empty(folder)
    (folder / "videos").mkdir()
    names = []
    for copy in range(copies):
        for video in videos:
            name = f"videos/{video.stem}-{copy:04d}{video.suffix}"
            place(video, folder / name)
            names.append(name)
    (folder / "dataset.json").write_text(json.dumps([_entry(name) for name in names]), encoding="utf-8")
    return names


def place(source: Path, target: Path) -> None:
    """Have a file under another name: a hard link, or a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _entry(video: str) -> dict[str, Any]:
    turns = [{"from": "human", "value": "<video>\nWhat happens?"}, {"from": "gpt", "value": "The picture moves."}]
    return {"id": video, "videos": [video], "conversations": turns}
