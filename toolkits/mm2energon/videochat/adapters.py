"""Adapters: LoRA adapters in a folder, found by their adapter_config.json."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Adapter:
    """One adapter."""

    #: Its folder, relative to the one that was searched.
    name: str
    folder: Path
    #: The model that it was made for, as its maker named it.
    base: str
    #: Its files are there and can be read; else `message` says what is wrong.
    ready: bool = True
    message: str = ""
    #: Tells one version of its files from the next.
    version: str = ""


def find_adapters(folder: Path | None) -> list[Adapter]:
    """The adapters below a folder, by name; each time anew, so that one made meanwhile is there."""
    raise NotImplementedError
