"""Stored: the output of `shard` in a store: what runs of before left there, the plan, and the dataset at the end."""

from __future__ import annotations

from itertools import islice
from pathlib import PurePosixPath

from mm2energon.pipeline.account import KEPT_NAMES
from mm2energon.pipeline.lease import LEASE, Lease
from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.plan import Plan
from mm2energon.pipeline.run import PLAN_FOLDER, published_unit
from mm2energon.shards.metadata import FOLDER

_DONE_FOLDER = f"{PLAN_FOLDER}/done"
_PLAN = f"{PLAN_FOLDER}/plan.json"
#: Units of a plan that are published at the same time.
_AT_A_TIME = 64
#: Last of all there is what says that all is there.
_LAST = (f"{FOLDER}/dataset.yaml",)
_SMALL_SUFFIXES = (".json", ".jsonl")
#: What only those need who write the shards, and the lease, which changes all the time.
_NOT_BROUGHT = (f"{PLAN_FOLDER}/units/", f"{PLAN_FOLDER}/samples/", LEASE)


class StoredOutput:
    """An output folder in a store, and the mirror of it that the run works in."""

    def __init__(self, mirror: Mirror, lease: Lease) -> None:
        """Bring what is known of a dataset, or of an unfinished run; of shards, show that they are there.

        Raises:
            OSError: the store does not give it.
        """
        self._mirror, self._lease = mirror, lease
        small = [name for name in mirror.show() if PurePosixPath(name).suffix in _SMALL_SUFFIXES]
        small += [name for name in mirror.show(STATE_FOLDER, deep=True) if not name.startswith(_NOT_BROUGHT)]
        mirror.bring([*small, *mirror.show(FOLDER)])
        known = Plan.known(mirror.folder / PLAN_FOLDER)
        #: The hash of the plan that lies in the store, complete.
        self._published = known and known[0]

    def publish(self, plan: Plan) -> None:
        """Take away in the store what the run has removed so far, and put the plan there, each unit by itself.

        Raises:
            OSError: the store does not take it.
            InputError: another run has taken the folder over.
        """
        self._lease.require()
        is_there = self._published == plan.content_hash
        self._mirror.remove_gone(but=f"{PLAN_FOLDER}/" if is_there else None)
        if is_there:
            return
        self._mirror.remove([_PLAN])
        numbers = iter(range(plan.units))
        while some := list(islice(numbers, _AT_A_TIME)):
            for number in some:
                plan.write_alone(number)
            self._mirror.publish(name for number in some for name in published_unit(number))
        kept = [f"{PLAN_FOLDER}/{name}" for name in KEPT_NAMES]
        self._mirror.publish(name for name in kept if self._mirror.has(name))
        self._mirror.publish([_PLAN])

    def collect(self) -> None:
        """Bring the done records of all units.

        Raises:
            OSError: the store does not give them.
        """
        self._mirror.bring(self._mirror.show(_DONE_FOLDER))

    def finish(self) -> None:
        """Put there what the run has made besides the shards, and take away what only an unfinished one needs.

        Raises:
            OSError: the store does not take it.
            InputError: another run has taken the folder over.
        """
        self._lease.require()
        self._mirror.sync(_order)
        self._mirror.remove_gone(but=LEASE)


def _order(name: str) -> int | None:
    if name.startswith(f"{STATE_FOLDER}/shard/") or name.endswith((".tar", ".tar.idx", ".jpegs")):
        return None  # published where it was made, or frames that have been no further than here
    return 2 if name in _LAST else int(name.startswith(f"{FOLDER}/"))
