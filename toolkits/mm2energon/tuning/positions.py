"""Positions: the state of Energon's loader as JSON, so that no file of a checkpoint of ours is unpickled.

    {"class": "megatron.energon.savable_loader:SavableDataLoaderState", "fields": {...}}    a dataclass of Energon
    {"dict": [[key, value], ...]}, {"tuple": [...]}, {"bytes": "..."}, {"array": [dtype, shape, "..."]}, {"tensor": ...}

What is made of such a file are values and states of Energon, nothing else.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

#: Only classes of these modules are made of what a file says.
_MODULES = "megatron.energon."


def to_json(value: Any) -> Any:
    """A state as plain values.

    Raises:
        TypeError: it holds something that has no place there.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray):
        return {"array": [value.dtype.str, list(value.shape), base64.b64encode(value.tobytes()).decode()]}
    if hasattr(value, "detach"):  # a tensor
        return {"tensor": to_json(value.numpy())}
    if isinstance(value, list):
        return [to_json(one) for one in value]
    if type(value) is tuple:
        return {"tuple": [to_json(one) for one in value]}
    if isinstance(value, Mapping):
        pairs = [[to_json(key), to_json(one)] for key, one in value.items()]
        return {"dict": pairs} if type(value) is dict else {"class": _name(value), "dict": pairs}
    if dataclasses.is_dataclass(value) or hasattr(value, "_fields"):
        return {"class": _name(value), "fields": {name: to_json(getattr(value, name)) for name in _fields(value)}}
    raise TypeError(f"{type(value).__name__}: a state of Energon was expected to hold none")


def from_json(value: Any) -> Any:
    """Back from `to_json`.

    Raises:
        ValueError: the values are not of that shape.
    """
    try:
        return _from_json(value)
    except (AttributeError, ImportError, KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _from_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_json(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "class" in value:
        made = _class(value["class"])
        if "dict" in value:
            return made((_from_json(key), _from_json(one)) for key, one in value["dict"])
        return made(**{name: _from_json(one) for name, one in value["fields"].items()})
    if "dict" in value:
        return {_from_json(key): _from_json(one) for key, one in value["dict"]}
    if "tuple" in value:
        return tuple(_from_json(one) for one in value["tuple"])
    if "bytes" in value:
        return base64.b64decode(value["bytes"])
    if "tensor" in value:
        import torch

        return torch.from_numpy(_from_json(value["tensor"]))
    kind, shape, data = value["array"]
    return np.frombuffer(base64.b64decode(data), dtype=kind).reshape(shape).copy()


def _fields(value: Any) -> list[str]:
    return list(value._fields) if hasattr(value, "_fields") else [field.name for field in dataclasses.fields(value)]


def _name(value: Any) -> str:
    return f"{type(value).__module__}:{type(value).__qualname__}"


def _class(name: str) -> Any:
    module, _, last = name.partition(":")
    if not module.startswith(_MODULES):
        raise ValueError(f"{name}: a class of Energon was expected")
    found = getattr(importlib.import_module(module), last)
    if not isinstance(found, type):
        raise ValueError(f"{name}: is no class")
    return found
