"""What units of an array took, as a simulation takes it: those that were not run take as much as their neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mm2energon.errors import InputError
from mm2energon.pipeline.array_stage import Stage
from mm2energon.pipeline.simulate import Work

#: Steps that write something of every unit, unless it was there already.
_WRITING = ("mm2energon.pipeline.extract:extract_unit", "mm2energon.pipeline.run:write_shard")


@dataclass(frozen=True)
class Measured:
    """The units of a stage, of which some were measured."""

    work: Work
    #: How many were measured.
    units: int
    #: Whether it is known what they read and wrote.
    has_traffic: bool


def measured(stage: Stage, *, request_bytes: int, driver_seconds: float = 0.0, by_cpu: bool = False) -> Measured:
    """What the units of a stage take.

    Units stand in the order of their size, or are alike: one that was not run takes what the nearest took that was.

    Args:
        request_bytes: what one request to the storage brings; each file that is opened is one more.
        by_cpu: a unit takes the seconds that a core worked for it, not those of the clock.

    Raises:
        InputError: none was run.
    """
    import numpy as np

    records = [record for record in stage.outcomes().records() if record["seconds"] > 0]
    has_traffic = any(record["bytes_read"] for record in records)
    if has_traffic and stage.step_name in _WRITING:
        records = [record for record in records if not _was_there(record)]
    if not records:
        raise InputError(
            f"{stage.folder}: none of its {stage.units} units was measured; some were expected, such as those of the "
            f"first of so many tasks: mm2energon run --plan {stage.folder.parent} --index 0 --of 100"
        )
    known = np.array([record["unit"] for record in records])
    wanted = np.arange(stage.units)
    after = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(wanted - known[before] <= known[after] - wanted, before, after)
    nearest = np.where(known[after] == wanted, after, nearest)
    names = ("cpu_seconds" if by_cpu else "seconds", "bytes_read", "bytes_written", "files_opened")
    seconds, read, written, files = (np.array([float(record[name]) for record in records])[nearest] for name in names)
    requests = files + np.ceil((read + written) / request_bytes)
    return Measured(Work(seconds, read, written, requests, driver_seconds), len(records), has_traffic)


def _was_there(record: Mapping[str, Any]) -> bool:
    """Whether a unit was done before, by a task that was killed before it could note so."""
    return record["error"] is None and not record["bytes_written"]
