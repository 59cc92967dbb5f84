"""Adapters: LoRA adapters in a folder, found by their adapter_config.json; which model each was made for.

The files are those of PEFT: `adapter_config.json`, and the weights in `adapter_model.safetensors`. Weights in pickles
are not read: opening one runs what is in it.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
#: Folders below the one that is searched, and adapters, at most.
_DEPTH = 4
_MOST = 500
#: Bytes of a header of safetensors that is believed.
_MAX_HEADER = 64 << 20
#: Starts of LoRA weights that leave the model's own as they are; PiSSA, OLoRA, CorDA, LoftQ take a part out of them.
_PLAIN_STARTS = ("gaussian", "eva", "orthogonal")
_NUMBERS = re.compile(r"(\d+)")
#: A model in the cache of the hub: `models--OpenGVLab--VideoChat-R1_5-7B/snapshots/<commit>`.
_CACHED = re.compile(r"models--(?:[^/\\]+?--)?([^/\\]+?)[/\\]snapshots[/\\][^/\\]+[/\\]?$")


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
    if folder is None or not folder.is_dir():
        return []
    found = [_adapter(place, folder) for place in _folders(folder)]
    return sorted(found, key=lambda one: [int(part) if part.isdecimal() else part for part in _sortable(one.name)])


def model_name(place: str) -> str:
    """What a model is called, wherever it lies: the last part of a path or of a name of the hub, in small letters."""
    cached = _CACHED.search(place)
    last = cached[1] if cached else place.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    return last.casefold()


def require_base(adapter: Adapter, model: str, folder: Path) -> None:
    """Check that an adapter was made for a model, by name.

    Args:
        model: the name that it was opened by.
        folder: where it lies.

    Raises:
        InputError: it was made for another.
    """
    if not adapter.ready:
        raise InputError(adapter.message)
    if adapter.base and model_name(adapter.base) not in (model_name(model), model_name(str(folder.resolve()))):
        raise InputError(
            f"adapter {adapter.name}: was made for {adapter.base}, and the model is {model}; expected the same; "
            f"choose that model, or, where they are the same, say so in {CONFIG} (base_model_name_or_path)"
        )


def weight_shapes(adapter: Adapter) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights by name, from the head of the file alone.

    Format: https://huggingface.co/docs/safetensors (8 bytes: length of a JSON object of names).

    Raises:
        InputError: it is no such file.
    """
    path = adapter.folder / WEIGHTS
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            head: dict[str, Any] = json.loads(file.read(length)) if length <= _MAX_HEADER else {"": None}
        weights = {name: about for name, about in head.items() if name != "__metadata__"}
        if path.stat().st_size < 8 + length + max((about["data_offsets"][1] for about in weights.values()), default=0):
            raise ValueError("cut off")
        return {name: tuple(about["shape"]) for name, about in weights.items()}
    except (OSError, struct.error, ValueError, AttributeError, KeyError, TypeError, IndexError) as error:
        raise InputError(
            f"adapter {adapter.name}: {WEIGHTS} cannot be read ({type(error).__name__}); a whole file of safetensors "
            "was expected; train it again, or wait until it is written"
        ) from error


def saved_modules(adapter: Adapter) -> frozenset[str]:
    """The modules of which an adapter has a whole copy of its own (`modules_to_save`)."""
    try:
        names = json.loads((adapter.folder / CONFIG).read_bytes()).get("modules_to_save")
    except (OSError, ValueError, AttributeError):
        return frozenset()
    return frozenset(map(str, names)) if isinstance(names, list) else frozenset()


def _folders(top: Path) -> Iterator[Path]:
    """Folders with an adapter, not deeper than some, and none that is reached by a link."""
    count = 0
    for place, names, files in os.walk(top):
        depth = len(Path(place).relative_to(top).parts)
        names[:] = sorted(name for name in names if not name.startswith(".")) if depth < _DEPTH else []
        if CONFIG in files:
            yield Path(place)
            count += 1
            if count == _MOST:
                return


def _adapter(place: Path, top: Path) -> Adapter:
    name = place.relative_to(top).as_posix() if place != top else place.resolve().name
    try:
        config = json.loads((place / CONFIG).read_bytes())
        base = config.get("base_model_name_or_path") or ""
        faults = _fault(place, config)
    except (OSError, ValueError, AttributeError) as error:
        base, faults = (
            "",
            f"{CONFIG} cannot be read ({type(error).__name__}); a JSON object was expected; write it anew",
        )
    message = f"adapter {name}: {faults}" if faults else ""
    return Adapter(name, place, str(base), not faults, message, _version(place))


def _fault(place: Path, config: Any) -> str:
    """What is wrong with an adapter; nothing where it can be used."""
    kind = str(config.get("peft_type", "")).upper()
    if kind != "LORA":
        return f"is of type {kind or 'unknown'}; LORA was expected; take one of that type"
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start not in _PLAIN_STARTS:
        return (
            f"was trained on weights that its start changed (init_lora_weights: {start}); an adapter for the model "
            "as it is was expected; save it by PEFT's path_initial_model_for_weight_conversion"
        )
    if (place / WEIGHTS).is_file():
        return ""
    if (place / "adapter_model.bin").is_file():
        return "its weights are a pickle (adapter_model.bin), which is not opened; save it as safetensors"
    return f"there is no {WEIGHTS} yet; weights were expected; wait until its training has written them"


def _version(place: Path) -> str:
    marks = []
    for name in (CONFIG, WEIGHTS):
        try:
            facts = (place / name).stat()
        except OSError:
            continue
        marks.append(f"{facts.st_size}-{facts.st_mtime_ns}")
    return ":".join(marks)


def _sortable(name: str) -> list[str]:
    """Parts for sorting: texts at even places, numbers at odd ones, so that checkpoint-9 comes before checkpoint-10."""
    return _NUMBERS.split(name)
