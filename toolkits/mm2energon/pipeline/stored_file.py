"""Stored file: an output in a store, made in a mirror of its folder, and put there when it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from mm2energon.errors import InputError
from mm2energon.pipeline.account import is_account_name
from mm2energon.pipeline.companions import is_companion_name
from mm2energon.pipeline.lease import leased
from mm2energon.pipeline.ledger import LEDGER_NAME, ledger_path
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.report import is_report_name

_SHOWN_SUFFIXES = (".json", ".jsonl")


@contextmanager
def stored_files(mirror: Mirror | None, outputs: Iterable[Path], *, folders: Iterable[Path] = ()) -> Iterator[None]:
    """Bring what earlier runs left of files in one folder, keep others from it, and publish what is made in the block.

    Args:
        mirror: what stands for the folder, or one above it; None: it is on this machine.
        folders: what lies in them belongs to the files.

    Raises:
        InputError: another run writes to the folder.
        OSError: the store does not give, or take, it.
    """
    outputs = list(outputs)
    if mirror is None:
        yield
        return
    folder = outputs[0].parent
    with leased(mirror.remote_of(folder)):
        bring_earlier(mirror, outputs)
        for name, size in mirror.remote_of(folder).files():
            if is_companion_name(name):
                mirror.bring([mirror.name_of(folder / name)])
            elif PurePosixPath(name).suffix in _SHOWN_SUFFIXES:  # companions name such files, as far as they are there
                mirror.show_file(mirror.name_of(folder / name), size)
        for one in folders:
            mirror.show(mirror.name_of(one))
        with published(mirror, outputs):
            yield


@contextmanager
def published(mirror: Mirror, outputs: Sequence[Path]) -> Iterator[None]:
    """At the end of the block put into the store what was made in it: first what lies beside files, then the notes on
    them, then they themselves.

    Raises:
        OSError: the store does not take it.
    """
    try:
        yield
    except InputError:  # of a run that came to nothing, the account says why
        _publish(mirror, outputs)
        raise
    _publish(mirror, outputs)


def bring_earlier(mirror: Mirror, outputs: Iterable[Path]) -> None:
    """Bring files as they are in the store, with the accounts, reports and notes that lie beside them.

    Raises:
        OSError: the store does not give them.
    """
    for output in outputs:
        output.parent.mkdir(parents=True, exist_ok=True)
        listed = mirror.remote_of(output.parent).files()
        names = [name for name, _ in listed if is_account_name(name) or is_report_name(name)]
        mirror.bring(mirror.name_of(output.with_name(name)) for name in [*names, output.name])
        mirror.bring([mirror.name_of(ledger_path(output.parent))])


def _publish(mirror: Mirror, outputs: Sequence[Path]) -> None:
    last = {mirror.name_of(output) for output in outputs}
    mirror.sync(lambda name: 2 if name in last else int(PurePosixPath(name).name == LEDGER_NAME))
    mirror.remove_gone()
