"""The ledger of a folder: which of its files mm2energon wrote, and from what.

By it an output is never taken for an input, nor an input overwritten. It lies in `.mm2energon/outputs.json` beside the
files: name -> sha256 of what was written, and whatever the writer has to say of it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mm2energon.jsonio import EntryWriter, dumps, loads, write_entries
from mm2energon.locks import lock, make_folder
from mm2energon.roots import read_regular
from mm2energon.storage import naming, sync_folder, write_whole
from mm2energon.terminal import known

STATE_FOLDER = ".mm2energon"
LEDGER_NAME = "outputs.json"


def ledger_path(folder: Path) -> Path:
    """Where the ledger of `folder` lies."""
    return folder / STATE_FOLDER / LEDGER_NAME


def read_ledger(folder: Path) -> dict[str, Any]:
    """What the ledger of `folder` holds; empty when there is none, or what is there is none.

    Raises:
        PermissionError: we may not read it, so that nobody knows what is ours.
    """
    try:
        ledger = loads(read_regular(ledger_path(folder)))
    except PermissionError:
        raise
    except (OSError, ValueError):
        return {}
    return ledger if isinstance(ledger, dict) else {}


def note(folder: Path, name: str, value: Any) -> None:
    """Write one line of the ledger of `folder`."""
    with _alone_with_ledger(folder), write_whole(ledger_path(folder)) as file:
        file.write(dumps({**read_ledger(folder), name: value}))


def forget(folder: Path, name: str) -> None:
    """Take one line out of the ledger of `folder`; a ledger without lines goes."""
    if read_ledger(folder).get(name) is None:
        return
    path = ledger_path(folder)
    with _alone_with_ledger(folder):
        ledger = {other: value for other, value in read_ledger(folder).items() if other != name}
        if ledger:
            with write_whole(path) as file:
                file.write(dumps(ledger))
            return
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something else lies in it
            path.parent.rmdir()


@contextlib.contextmanager
def _alone_with_ledger(folder: Path) -> Iterator[None]:
    """Keep other runs, which write other files of the folder, from changing the ledger meanwhile."""
    state = folder / STATE_FOLDER
    while True:
        make_folder(state)  # not those above: a dataset that vanished is not begun anew by its notes
        if state.is_symlink() and not state.exists():  # it leads to nowhere, and is no run's that has just removed it
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(state))
        with contextlib.suppress(FileNotFoundError):  # another run has just removed it
            descriptor = os.open(state, os.O_RDONLY)
            lock(descriptor, wait=True)
            if os.path.samestat(os.fstat(descriptor), state.stat()):
                break
            os.close(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def write_output(path: Path, *, about: Mapping[str, Any]) -> Iterator[EntryWriter]:
    """A writer of entries to `path`, which is noted as ours.

    Without a single entry nothing is written; a file that is there already and would be the same is left as it is.

    Args:
        about: what the ledger says of it, besides its sha256.
    """
    fresh = path.with_name(f".{path.name}{path.suffix}")
    with write_entries(fresh) as out:
        yield out
    with naming(path, instead_of=fresh):
        _take(fresh, path, about, count=out.count)


def _take(fresh: Path, path: Path, about: Mapping[str, Any], *, count: int) -> None:
    """Note `fresh`, and give it the name `path`, where that makes a difference."""
    if count == 0:
        fresh.unlink()
        return
    before, now = sha256_of(path), sha256_of(fresh)
    noted = read_ledger(path.parent).get(path.name)
    if not isinstance(noted, dict) or {**noted, **about, "sha256": now} != noted or now != before:
        # Noted before the file has its name: whenever this is cut off, what stands there is known.
        note(path.parent, path.name, {**about, "sha256": now, "before": before})
    if now == before:
        fresh.unlink()
    else:
        fresh.replace(path)
        sync_folder(path.parent)


def write_noted(path: Path, data: bytes, *, about: Mapping[str, Any]) -> None:
    """Write a file of such bytes, which is noted as ours; one that is the same is left as it is.

    Args:
        about: what the ledger says of it, besides its sha256.
    """
    if path.is_file() and path.read_bytes() == data and noted(path) is not None:
        return
    # Noted before it is written: whenever this is cut off, what stands there is known.
    digests = {"sha256": hashlib.sha256(data).hexdigest(), "before": sha256_of(path)}
    note(path.parent, path.name, {**about, **digests})
    with write_whole(path) as file:
        file.write(data)


def made_by(command: str, output: Path, *, sources: Iterable[Path], root: Path | None = None) -> dict[str, Any]:
    """What the ledger says of a dataset that a command made: from which files, by path and by content, for which root.

    Paths are relative to the folder of the output, so that a dataset may be moved; between this machine and a store,
    and between two stores, they are whole.
    """
    folder = known(output.parent.resolve().as_posix())

    def relative(path: Path) -> str:
        name = known(path.resolve().as_posix())
        if _store_of(name) != _store_of(folder):
            return name
        return Path(os.path.relpath(name, folder)).as_posix()

    made_from = {relative(source): sha256_of(source) for source in sources}
    about: dict[str, Any] = {"by": command, "sources": dict(sorted(made_from.items()))}
    return about if root is None else {**about, "root": relative(root)}


def _store_of(name: str) -> str:
    """The scheme and bucket of a URL; empty for a path."""
    scheme, is_url, rest = name.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}" if is_url else ""


def noted(path: Path) -> dict[str, Any] | None:
    """What the ledger says of `path`, when it is as we wrote it: a file that somebody changed since is theirs."""
    about = read_ledger(path.parent).get(path.name)
    if isinstance(about, dict) and "sha256" in about and path.is_file():
        return about if sha256_of(path) in (about["sha256"], about.get("before")) else None
    return None


def was_changed(path: Path) -> bool:
    """Whether we wrote `path`, and somebody changed it since."""
    about = read_ledger(path.parent).get(path.name)
    return isinstance(about, dict) and "sha256" in about and path.is_file() and noted(path) is None


def sha256_of(path: Path) -> str | None:
    """The digest of a file; None when there is none."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        return None
    return digest.hexdigest()
