"""Stored file: an output in a store, made in a mirror of its folder, and put there when it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from mm2energon.errors import InputError
from mm2energon.pipeline.account import is_account_name
from mm2energon.pipeline.ledger import LEDGER_NAME, ledger_path
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.report import is_report_name


@contextmanager
def published(mirror: Mirror | None, outputs: Iterable[Path]) -> Iterator[None]:
    """At the end of the block put into the store what was made in it, the files themselves last.

    Args:
        mirror: what stands for the folder that they lie in; None: they lie on this machine.

    Raises:
        OSError: the store does not give, or take, it.
    """
    if mirror is None:
        yield
        return
    outputs = list(outputs)
    try:
        yield
    except InputError:  # of a run that came to nothing, the account says why
        publish(mirror, outputs)
        raise
    publish(mirror, outputs)


def bring_earlier(mirror: Mirror, outputs: Iterable[Path]) -> None:
    """Bring files as they are in the store, with the accounts, reports and notes that lie beside them.

    Raises:
        OSError: the store does not give them.
    """
    for output in outputs:
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = mirror.name_of(output.parent)
        listed = (mirror.remote if folder == "." else mirror.remote / folder).files()
        names = [name for name, _ in listed if is_account_name(name) or is_report_name(name)]
        mirror.bring(mirror.name_of(output.with_name(name)) for name in [*names, output.name])
        mirror.bring([mirror.name_of(ledger_path(output.parent))])


def publish(mirror: Mirror, outputs: Iterable[Path]) -> None:
    """Put what was made into the store: what lies beside files, then the notes on them, then they themselves.

    Raises:
        OSError: the store does not take it.
    """
    last = {mirror.name_of(output) for output in outputs}

    def order(name: str) -> int:
        return 2 if name in last else int(PurePosixPath(name).name == LEDGER_NAME)

    mirror.sync(order)
    mirror.remove_gone()
