"""Breakdowns: what ends a run in the middle of its training, said with what to do: memory, the disk, losses of nan."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mm2energon.errors import InputError, missing_extra
from mm2energon.tuning.job import Settings


def require_number(name: str, value: float, *, step: int, settings: Settings) -> None:
    """Check a figure of a step, before a checkpoint of that step is written.

    Raises:
        InputError: it is none: the weights of the adapter are lost with it.
    """
    if not math.isfinite(value):
        raise InputError(
            f"step {step}: {name} is {value}; a number was expected; what is trained goes astray, or the base holds "
            f"such numbers itself: run with --restart and a --learning-rate below {settings.learning_rate:g}"
        )


@contextmanager
def told_what_to_do() -> Iterator[None]:
    """Say of what breaks the loop what it is, and what helps.

    Raises:
        InputError: the memory of the device is full, or a process that reads ahead was killed, or said why it cannot.
    """
    import torch

    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise InputError(
            f"the memory of the device is full ({_first_line(error)}); try --quantize 4bit, a smaller --batch-size, "
            "--max-frames or --max-pixels, or end what else uses the device"
        ) from error
    except InputError as error:
        raise InputError(_without_trace(str(error))) from error
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise InputError(
            f"a process that reads ahead ended ({_first_line(error)}); it may have wanted memory, or shared memory "
            "(/dev/shm; in Docker --shm-size); give more of it, or fewer --loaders, and run the same command again"
        ) from error


@contextmanager
def written_or_removed(place: Path) -> Iterator[None]:
    """Remove a folder that cannot be written whole, so that there is room to say so.

    Raises:
        InputError: one of the libraries that write into it failed.
    """
    try:
        from safetensors import SafetensorError
    except ImportError as error:
        raise missing_extra("safetensors", "train") from error
    try:
        yield
    except (RuntimeError, SafetensorError) as error:  # which is how they tell that a disk is full
        shutil.rmtree(place, ignore_errors=True)
        raise InputError(
            f"{place.parent}: cannot be written to ({_first_line(error)}); the disk may be full: make room, and run "
            "the same command again to go on"
        ) from error
    except OSError:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _without_trace(text: str) -> str:
    """What an error of ours said, also where torch brought it from another process, with where it came from."""
    name = f"{InputError.__module__}.{InputError.__name__}: "
    return text.rpartition(name)[2].strip()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:300]
