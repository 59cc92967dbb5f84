"""Where a model lies and what it runs on, and what is said when that is not so."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from mm2energon.errors import InputError

#: Of messages of others: tokens of the hub, and names and passwords in URLs.
_SECRETS = re.compile(r"hf_\w+|(?<=//)[^/@\s]+@|(?i:bearer) \S+")


def local(model: str) -> Path | None:
    """The folder or file that `--model` gives; None where it is a name.

    Raises:
        InputError: it looks like a path, and there is nothing.
    """
    path = Path(model).expanduser()
    if path.exists():
        return path
    if re.match(r"~|\.{0,2}[/\\]|[A-Za-z]:\\", model) or model.count("/") > 1 or path.suffix in (".pt", ".bin"):
        raise InputError(
            f"--model {model}: no such file or folder; the name of a model, or where one lies, was expected"
        )
    return None


def unknown_name(model: str, names: Collection[str]) -> InputError:
    """The error for a name that is none."""
    return InputError(f"--model {model}: no such model; expected one of {', '.join(names)}, or where one lies")


def missing(model: str, error: Exception, *, where: str) -> InputError:
    """The error for a model that is neither here nor to be had.

    Args:
        model: as it was given.
        error: why it could not be fetched.
        where: what has to be put where.
    """
    return InputError(f"--model {model}: is not on this machine, and could not be fetched ({said(error)}); {where}")


def broken(model: str, error: Exception, *, expected: str) -> InputError:
    """The error for files that cannot be loaded."""
    return InputError(f"--model {model}: cannot be loaded ({said(error)}); {expected} was expected; fetch it again")


def said(error: Exception) -> str:
    """The first line of somebody else's message, without what is secret in it."""
    line = _SECRETS.sub("...", str(error).strip().partition("\n")[0])
    return line if len(line) <= 200 else f"{line[:200]} ..."


def device_of(asked: str, gpus: int, *, needs: str) -> tuple[str, int]:
    """The kind of device, `cpu` or `cuda`, and its number.

    Args:
        asked: `auto`, `cpu`, `cuda` or `cuda:1`.
        gpus: how many GPUs the engine can use here.
        needs: what it needs to use one.

    Raises:
        InputError: there is no such device.
    """
    kind, _, number = asked.partition(":")
    if asked == "cpu" or (asked == "auto" and not gpus):
        return "cpu", 0
    if kind not in ("auto", "cuda") or not (number or "0").isdecimal() or asked.startswith("auto:"):
        raise InputError(f"--device {asked}: auto, cpu, cuda, or cuda:1 for the second GPU, was expected")
    if not gpus:
        raise InputError(f"--device {asked}: no GPU can be used here; cpu or auto was expected; {needs}")
    if int(number or 0) >= gpus:
        raise InputError(f"--device {asked}: there are {gpus} GPUs, counted from 0; cuda:{gpus - 1} is the last")
    return "cuda", int(number or 0)


def require_compute_type(asked: str, known: Collection[str], *, device: str) -> None:
    """Check `--compute-type`.

    Raises:
        InputError: the device, or the engine, has none of that name.
    """
    if asked not in known:
        raise InputError(f"--compute-type {asked}: on {device} one of {', '.join(sorted(known))} was expected")


@contextmanager
def gpu_errors(model: str) -> Iterator[None]:
    """Say what helps where a GPU's memory, or its libraries, do not suffice.

    Raises:
        InputError: that is so.
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error).lower()
        if "out of memory" in text:
            raise InputError(
                f"--model {model}: the GPU's memory does not suffice for it ({said(error)}); give a smaller --model or "
                "--batch-size, --compute-type int8 with faster-whisper, or --device cpu"
            ) from error
        if re.search(r"cublas|cudnn|libcuda|cudart", text):
            raise InputError(
                f"--device cuda: {said(error)}; faster-whisper needs cuBLAS and cuDNN: "
                "pip install nvidia-cublas-cu12 'nvidia-cudnn-cu12>=9', and LD_LIBRARY_PATH with their lib folders; or "
                "--device cpu"
            ) from error
        raise


def cache_of(name: str) -> Path:
    """The folder below the user's cache, as XDG places it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / name
