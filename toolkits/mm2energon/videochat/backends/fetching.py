"""Fetching a model from the hub, in a process that can be ended, which tells how far it is."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mm2energon.errors import InputError
from mm2energon.pipeline.loop import Limits
from mm2energon.videochat.apart import Note, run_apart

#: The files of a model; weights in pickles are not among them.
_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
#: Bytes between two messages, and seconds between two looks at what is there.
_STEP, _PAUSE = 250_000_000, 1.0
#: Of messages of others: tokens of the hub, and names and passwords in addresses.
_SECRETS = re.compile(r"hf_\w+|(?<=//)[^/@\s]+@")


@dataclass(frozen=True)
class _Job:
    """What the process is asked for, and where it notes how far it is."""

    name: str
    note: Path


def fetch(name: str, tell: Callable[[str], None]) -> Path:
    """The folder of a model, which lies in the cache of the hub then.

    Args:
        tell: is called with how far it is, several times a second; what it raises ends the fetch.

    Raises:
        InputError: the hub does not give it; the message is the hub's.
    """

    def step(done: float, _total: float | None) -> None:
        far = done // _STEP * _STEP
        tell(f"fetching {name} from the hub" + (f": {far / 1e9:.2f} GB so far" if far else "; this may take long"))

    with TemporaryDirectory() as folder:
        note = Path(folder) / "note"
        job = _Job(name, note)
        return run_apart(_fetch, job, limits=Limits(), note=Note(note), told=step, stop=threading.Event())


def said(error: Exception) -> str:
    """The first line of somebody else's message, without what is secret in it."""
    line = _SECRETS.sub("...", str(error).strip().partition("\n")[0]) or type(error).__name__
    return line if len(line) <= 200 else f"{line[:200]} ..."


def _fetch(job: _Job) -> Path:
    """In the process."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # is read when it is imported
    from huggingface_hub import snapshot_download

    over = threading.Event()
    threading.Thread(target=_watch, args=(job, over), daemon=True).start()
    try:
        return Path(snapshot_download(job.name, allow_patterns=_FILES))
    except Exception as error:
        raise InputError(said(error)) from error
    finally:
        over.set()


def _watch(job: _Job, over: threading.Event) -> None:
    """Note how much of the model is there."""
    from huggingface_hub.constants import HF_HUB_CACHE

    note = Note(job.note)
    blobs = Path(HF_HUB_CACHE) / f"models--{job.name.replace('/', '--')}" / "blobs"
    while not over.wait(_PAUSE):
        try:
            note.tell(sum(path.stat().st_size for path in blobs.iterdir()), None)
        except OSError:  # nothing yet, or a file was renamed just now
            continue
