"""Lease: keeps two runs from one folder of a store, where there are no locks that die with their process.

`.mm2energon/lease.json` says who writes to the folder. It is written anew while the run lives, and removed at its end.
One of a process of this machine that is gone is taken over at once; another, when nobody has written it for minutes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mm2energon.errors import InputError
from mm2energon.jsonio import dumps, loads
from mm2energon.locks import takes_signals
from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.remote import Remote

#: Where it lies, below the folder that it is of.
LEASE = f"{STATE_FOLDER}/lease.json"
#: What nobody has written anew for this long is nobody's; a run writes its own as often as that.
_ABANDONED_SECONDS, _EVERY_SECONDS = 300.0, 30.0
#: After this, or several times what writing took, of two that wrote at the same moment each finds who wrote last.
_SETTLED_SECONDS, _SETTLED_TIMES = 0.5, 4.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who writes to the folder."""

    token: str
    #: Name of the machine, and of the system that numbers its processes.
    host: str
    system: str
    process: int
    #: When it was written, in seconds since 1970.
    at: float

    @staticmethod
    def read(data: bytes) -> Holder | None:
        """What a lease says; None where it says nothing."""
        try:
            about: Any = loads(data)
            return Holder(
                str(about["token"]), str(about["host"]), str(about["system"]), int(about["process"]), float(about["at"])
            )
        except (ValueError, KeyError, TypeError):
            return None

    def as_json(self) -> bytes:
        """The lease, written now."""
        about = {"token": self.token, "host": self.host, "system": self.system, "process": self.process}
        return dumps({**about, "at": time.time()}) + b"\n"

    @property
    def seconds(self) -> float:
        """How long ago it was written."""
        return time.time() - self.at

    def is_gone(self) -> bool:
        """Whether nobody holds it any more."""
        if self.system == _system() and not takes_signals(self.process):
            return True
        return self.seconds > _ABANDONED_SECONDS


class Lease:
    """A lease that is ours."""

    def __init__(self, folder: Remote) -> None:
        """Take it.

        Raises:
            InputError: another run holds it.
            OSError: the store does not take it, or give it.
        """
        self._folder, self._file = folder, folder / LEASE
        self._us = Holder(secrets.token_hex(8), socket.gethostname(), _system(), os.getpid(), time.time())
        self._lost = False
        self._over = threading.Event()
        begin = time.monotonic()
        if not self._file.create(self._us.as_json()):
            self._take_over()
        elif not self._file.creates_alone:
            _settle(begin)
        holder = self._holder()
        if holder is None or holder.token != self._us.token:
            raise self._taken(holder)
        self._keeper = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._keeper.start()

    def require(self) -> None:
        """Make sure that it is ours still.

        Raises:
            InputError: another run has taken it over, since it was not written anew for so long.
        """
        holder = self._holder()
        if self._lost or (holder is not None and holder.token != self._us.token):
            raise self._taken(holder)

    def leave(self) -> None:
        """Let others in."""
        self._over.set()
        self._keeper.join()  # else it might write the lease once more, after it is removed
        with contextlib.suppress(OSError):  # then it is taken over, later
            holder = self._holder()
            if holder is not None and holder.token == self._us.token:
                self._folder.remove([LEASE])

    def _take_over(self) -> None:
        holder = self._holder()
        if holder is not None and not holder.is_gone():
            raise self._taken(holder)
        begin = time.monotonic()
        self._folder.remove([LEASE])
        self._file.create(self._us.as_json())
        _settle(begin)

    def _holder(self) -> Holder | None:
        try:
            return Holder.read(self._file.read())
        except FileNotFoundError:
            return None

    def _taken(self, holder: Holder | None) -> InputError:
        who = "" if holder is None else f" ({holder.host}, process {holder.process})"
        left = 0 if holder is None else max(0, round(_ABANDONED_SECONDS - holder.seconds))
        return InputError(
            f"{self._folder}: another run writes to it now{who}; wait for it, or choose another folder; if it was "
            f"killed, this one may begin in {left} seconds"
        )

    def _keep(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            with contextlib.suppress(OSError):  # the next time, perhaps
                holder = self._holder()
                if holder is not None and holder.token != self._us.token:
                    self._lost = True
                    return
                self._file.write(self._us.as_json())


@contextlib.contextmanager
def leased(folder: Remote | None) -> Iterator[Lease | None]:
    """Keep other runs out of a folder of a store until the block ends; of none there is nothing to do.

    Raises:
        InputError: another run works in it.
        OSError: as `Lease`.
    """
    lease = None if folder is None else Lease(folder)
    try:
        yield lease
    finally:
        if lease is not None:
            lease.leave()


def _settle(begin: float) -> None:
    """Wait until whoever began to write when we did has written."""
    time.sleep(max(_SETTLED_SECONDS, _SETTLED_TIMES * (time.monotonic() - begin)))


def _system() -> str:
    """What tells apart the systems that number processes: a machine since it was started, and each container in it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 (no path)
    except OSError:
        return socket.gethostname()
