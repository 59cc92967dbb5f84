"""The output folder of `shard`: whose it is, what an earlier run left in it, and whether that is the same dataset."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.locks import lock
from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.pipeline.plan import Plan
from mm2energon.pipeline.report import remove_report
from mm2energon.pipeline.splits import SPLITS
from mm2energon.shards.index import idx_path
from mm2energon.shards.metadata import FOLDER, MANIFEST
from mm2energon.shards.reader import read_index
from mm2energon.storage import remove_leftovers
from mm2energon.video.pack import forget_frames

_OWN_SHARD = re.compile(rf"({'|'.join(SPLITS)})-shard-\d{{6,}}\.tar(\.idx)?")
#: Name of an option in a manifest -> the flag that sets it, where that is not the name with dashes.
_FLAGS = {
    "ratios": "--train-split, --val-split, --test-split",
    "max_samples": "--max-samples-per-tar",
    "max_bytes": "--max-shard-size",
}


def state_of(output: Path) -> Path:
    """Where an unfinished run keeps its plan and its done records."""
    return output / STATE_FOLDER / "shard"


def packs_of(output: Path) -> Path:
    """Where frames wait that go straight into shards; what was known of them stays when the dataset is complete."""
    return output / STATE_FOLDER / "frames"


@contextlib.contextmanager
def held_by_us(output: Path) -> Iterator[None]:
    """Make the folder, and keep other runs out of it until the block ends.

    Raises:
        InputError: it cannot be written to, or another run works in it.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(output, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"--output {output}: cannot be made ({error.strerror}); choose another folder") from error
    try:
        if not os.access(output, os.W_OK | os.X_OK):
            raise InputError(f"--output {output}: is not ours to write to; choose another folder")
        _lock(descriptor, output)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, output: Path) -> None:
    try:
        lock(descriptor, wait=False)
    except BlockingIOError as error:
        raise InputError(f"--output {output}: another run writes to it now; wait for it, or choose another") from error


def check_owner(output: Path) -> None:
    """Refuse a folder that holds shards of somebody else.

    Raises:
        InputError: it does.
    """
    ours = (output / FOLDER / MANIFEST).exists() or state_of(output).exists()
    if ours:
        return
    tars = (path.name for path in sorted(output.glob("*.tar")))
    foreign = FOLDER if os.path.lexists(output / FOLDER) else next(tars, None)
    if foreign is not None:
        raise InputError(
            f"--output {output}: holds a dataset that mm2energon did not write ({foreign}); choose another folder"
        )


def remove_own(output: Path) -> None:
    """Take away the dataset, and the unfinished run, that an earlier plan wrote, and nothing else."""
    remove_report(output)
    shutil.rmtree(output / FOLDER, ignore_errors=True)
    for path in sorted(output.glob("*-shard-*.tar*")):
        if _OWN_SHARD.fullmatch(path.name):
            path.unlink()
    shutil.rmtree(state_of(output) / "plan", ignore_errors=True)


def remove_state(output: Path) -> None:
    """Take away what only an unfinished run needs."""
    shutil.rmtree(state_of(output), ignore_errors=True)
    with contextlib.suppress(OSError):  # there is none, or the ledger of other commands lies in it
        (output / STATE_FOLDER).rmdir()
    remove_temporary(output)


def remove_temporary(output: Path) -> None:
    """Take away what a run that was killed left half written."""
    for folder in (output, output / STATE_FOLDER, packs_of(output)):
        remove_leftovers(folder)


def forget_attempt(output: Path, folder: Path) -> None:
    """Take away a plan that came to nothing; what an unfinished run of before needs stays."""
    shutil.rmtree(folder, ignore_errors=True)
    if Plan.known(state_of(output) / "plan") is None:
        remove_state(output)


def keep_plan(output: Path, fresh: Plan) -> Plan:
    """Make `fresh` the plan of the run in the folder; the done records of one that is the same are taken over.

    Raises:
        InputError: the folder belongs to a run with another plan.
    """
    current = state_of(output) / "plan"
    before, now = Plan.known(current), Plan.known(fresh.folder)
    if before is not None and now is not None and before != now:
        raise _other(output, "an unfinished run", before[1], now[1])
    if before is not None and (current / "done").is_dir():
        (current / "done").rename(fresh.folder / "done")
    shutil.rmtree(current, ignore_errors=True)
    fresh.folder.rename(current)
    return fresh.moved(current)


def finished_manifest(output: Path, plan: Plan, options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The manifest of the dataset in the folder, when it is complete and what this plan would write.

    Raises:
        InputError: the folder holds what another plan wrote.
    """
    if not (output / FOLDER).is_dir():
        return None
    manifest = read_index(output).manifest
    if manifest.get("plan") != plan.content_hash:
        forget_frames(packs_of(output))
        remove_state(output)
        raise _other(output, "a finished dataset", manifest.get("options", {}), options)
    if manifest.get("target") != options["target"]:
        remove_state(output)
        raise InputError(
            f"{output}: holds this very dataset, read by {manifest.get('target')} since mm2energon retarget; "
            f"mm2energon retarget --target {options['target']} turns it back"
        )
    return manifest if all(_is_there(output / name, about) for name, about in manifest["shards"].items()) else None


def _is_there(shard: Path, about: Mapping[str, Any]) -> bool:
    return shard.is_file() and shard.stat().st_size == about["bytes"] and idx_path(shard).is_file()


def _other(output: Path, what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> InputError:
    changed = [
        f"{_FLAGS.get(name, '--' + name.replace('_', '-'))} (was {_shown(before.get(name))}, is {_shown(now[name])})"
        for name in now
        if before.get(name) != now[name]
    ]
    return InputError(
        f"{output}: holds {what} made from other input or options; "
        f"changed: {', '.join(changed) or 'the annotations, the media, or which of them could be read'}; "
        "--restart writes it anew, --output takes another folder"
    )


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ":".join(f"{share:g}" for share in value.values())
    return "not given" if value is None else str(value)
