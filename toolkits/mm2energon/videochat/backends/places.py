"""Where a local model lies: a folder first, then the cache of the hub, then the hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from mm2energon.errors import InputError, MediaError, missing_extra
from mm2energon.videochat.backends.fetching import fetch
from mm2energon.videochat.backends.setup import Setup

#: What is offered where nothing else is asked for.
USUAL_MODEL = "OpenGVLab/VideoChat-R1_5-7B"
#: Entries of a folder that are looked at for models: it may be one of videos.
_MOST_LOOKED_AT = 1000
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def offered(setup: Setup) -> list[str]:
    """The models that can be asked for: those that were given, and those that lie in folders that were.

    Where none was given, these are the current folder and the usual model.
    """
    is_given = setup.model_folders != Setup().model_folders
    folders = setup.model_folders if is_given or not setup.models else ()
    found = [str(place) for folder in folders for place in _models_in(folder)]
    if setup.models:
        names = {Path(name).name for name in setup.models}
        return list(dict.fromkeys([*setup.models, *(place for place in found if Path(place).name not in names)]))
    usual = [] if any(Path(place).name == USUAL_MODEL.rpartition("/")[2] for place in found) else [USUAL_MODEL]
    return [*found, *usual]


def here(name: str, folders: Sequence[Path]) -> Path | None:
    """The folder of a model on this machine, outside of the cache; None where there is none."""
    given = Path(name).expanduser()
    places = [given, *(folder / part for folder in folders for part in (given.name, name))]
    return next((place for place in places if (place / "config.json").is_file()), None)


def find_model(name: str, setup: Setup, tell: Callable[[str], None]) -> Path:
    """The folder of a model, fetched from the hub where it is not on this machine.

    Args:
        tell: is called with what takes time.

    Raises:
        InputError: it is nowhere; the message says where to put it.
        DependencyError: huggingface_hub is missing.
    """
    if (folder := here(name, setup.model_folders)) is not None:
        return folder
    require_hub_name(name)
    if (folder := cached(name)) is not None:
        return folder
    if not setup.may_download:
        raise _missing(name, setup, "the hub is not asked")
    return _fetched(name, setup, tell)


def require_hub_name(name: str) -> None:
    """Check that a model that does not lie here may be one of the hub.

    Raises:
        InputError: it is a path.
    """
    if not _HUB_NAME.fullmatch(name):
        raise InputError(f"model {name}: no such folder, or no config.json in it; give where a model lies, or its name")


def cached(name: str) -> Path | None:
    """The whole model in the cache of the hub; None where it is not, or not all of it."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise missing_extra("huggingface-hub", "train") from error
    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):  # the errors of huggingface_hub are of these kinds
        return None
    return folder if _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    """Whether the configuration and all weights are there: a fetch may have been cut off."""
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_bytes())
        weights = set(index["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        weights = {"model.safetensors"}
    return all((folder / name).is_file() for name in ("config.json", *weights))


def _fetched(name: str, setup: Setup, tell: Callable[[str], None]) -> Path:
    try:
        return fetch(name, tell)
    except (InputError, MediaError) as error:  # the latter: the process died
        raise _missing(name, setup, str(error)) from error


def _missing(name: str, setup: Setup, why: str) -> InputError:
    last = name.rpartition("/")[2]
    folder = (setup.model_folders[0] if setup.model_folders else Path()).absolute() / last
    return InputError(
        f"model {name}: is not on this machine, and could not be fetched ({why}); put its files into {folder}, or run "
        f"`hf download {name}` where there is a network"
    )


def _models_in(folder: Path) -> list[Path]:
    """The folders in a folder that hold a Qwen-VL."""
    from mm2energon.videochat.qwen_vision import read_vision

    found = []
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in islice(entries, _MOST_LOOKED_AT) if entry.is_dir())
    except OSError:
        return []
    for name in names:
        if not (folder / name / "config.json").is_file():
            continue
        try:
            read_vision(folder / name)
        except InputError:
            continue
        found.append(folder / name)
    return found
