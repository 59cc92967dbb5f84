"""Wholeness: whether the folder of a model holds all that it is loaded from; copies and fetches break off."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.videochat.qwen_vision import read_vision

_WEIGHTS = "model.safetensors"
_INDEX = f"{_WEIGHTS}.index.json"
#: Either a whole tokenizer, or the two files of Qwen's older ones.
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
#: Bytes of a header of safetensors that is believed.
_MOST_HEADER = 256 << 20


def require_whole(name: str, folder: Path) -> None:
    """Check the files of a model, without loading them.

    Raises:
        InputError: one is missing, cut off or of another kind of model; the message names it.
    """
    try:
        read_vision(folder)
    except InputError as error:
        raise InputError(f"model {name}: {error}") from error
    for file in _weights(name, folder):
        _require_safetensors(name, folder / file)
    if not any(all((folder / file).is_file() for file in files) for files in _TOKENIZERS):
        raise InputError(f"model {name}: there is no tokenizer.json in {folder}; a tokenizer was expected; {_MEND}")


_MEND = "copy or fetch the whole model again"


def _weights(name: str, folder: Path) -> list[str]:
    """The files of weights: those that an index lists, or one."""
    try:
        listed = json.loads((folder / _INDEX).read_bytes())["weight_map"]
        return sorted(set(map(str, listed.values())))
    except FileNotFoundError:
        return [_WEIGHTS]
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise InputError(
            f"model {name}: {folder / _INDEX} cannot be read ({type(error).__name__}); a list of weights was expected; "
            f"{_MEND}"
        ) from error


def _require_safetensors(name: str, path: Path) -> None:
    """Hold a file's size against its header: https://huggingface.co/docs/safetensors."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            head: dict[str, Any] = json.loads(file.read(length)) if length <= _MOST_HEADER else {"": None}
        ends = [about["data_offsets"][1] for key, about in head.items() if key != "__metadata__"]
        is_whole = path.stat().st_size == 8 + length + max(ends, default=0)
    except FileNotFoundError:
        pickled = " (pytorch_model.bin is a pickle, which is not opened)" if _is_pickled(path.parent) else ""
        raise InputError(
            f"model {name}: there is no {path.name} in {path.parent}; weights were expected{pickled}; {_MEND}"
        ) from None
    except (OSError, struct.error, ValueError, AttributeError, KeyError, TypeError, IndexError):
        is_whole = False
    if not is_whole:
        raise InputError(f"model {name}: {path} is cut off or broken; whole weights were expected; {_MEND}")


def _is_pickled(folder: Path) -> bool:
    return any(folder.glob("pytorch_model*.bin"))
