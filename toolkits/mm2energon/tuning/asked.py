"""What a run is asked for by another program: options by name, checked, and the command line that says the same."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.tuning.job import check_settings, settings_of
from mm2energon.tuning.options import BY_NAME, check_value


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as a run takes them.

    Raises:
        InputError: one of them is unknown or out of range, two contradict each other, or data or model are not there.
    """
    asked = dict(options)
    data = asked.get("data")
    if not data:
        raise InputError("data: the path of an annotation file or of shards was expected")
    asked["data"] = _paths("data", [data] if isinstance(data, str) else data)
    model = asked.get("model")
    if not isinstance(model, str) or not model.strip() or model.startswith("-") or "\0" in model:
        raise InputError("model: a folder or a name of the hub was expected, such as OpenGVLab/VideoChat-R1_5-7B")
    asked["allow_absolute_media"] = _paths("allow_absolute_media", asked.get("allow_absolute_media") or [])
    for name, value in asked.items():
        if name in ("data", "model", "output", "allow_absolute_media"):
            continue
        if name not in BY_NAME:
            raise InputError(f"{name!r:.80}: is no option of a run")
        check_value(BY_NAME[name], value)
    check_settings(settings_of({name: value for name, value in asked.items() if name in BY_NAME}))
    return asked


def _paths(name: str, value: Any) -> list[str]:
    """Paths of files or folders that are there.

    Raises:
        InputError: one of them is not.
    """
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InputError(f"{name}: a list of paths was expected")
    for path in value:
        if "\0" in path or not path.strip() or not Path(path).exists():
            raise InputError(f"{name} {path}: no such file or folder")
    return value


def command_line(asked: Mapping[str, Any], output: Path) -> list[str]:
    """The command that does what was asked for, as one would write it."""
    words = [sys.executable, "-m", "mm2energon", "finetune", "--output", str(output)]
    words += [f"--model={asked['model']}", *(f"--data={path}" for path in asked["data"])]
    words += [f"--allow-absolute-media={root}" for root in asked.get("allow_absolute_media") or ()]
    for name, value in asked.items():
        option = BY_NAME.get(name)
        if option is None or value is None or value is False:
            continue
        words.append(option.flag if value is True else f"{option.flag}={value}")
    return words
