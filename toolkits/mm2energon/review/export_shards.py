"""Shards of what was exported: written as `shard` does, and read back as `verify` does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.jsonio import read_entries
from mm2energon.pipeline import verify_energon
from mm2energon.pipeline.arrange import Arrangement
from mm2energon.pipeline.extract import Extraction
from mm2energon.pipeline.loop import Limits, ProgressMaker
from mm2energon.pipeline.machine import usable_memory_bytes
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.shard import shard
from mm2energon.pipeline.shard_job import ShardJob, ShardReport
from mm2energon.pipeline.splits import SPLITS
from mm2energon.pipeline.verify import verify
from mm2energon.review.export_job import Exported, ExportJob, ShardsWanted
from mm2energon.targets import TARGETS
from mm2energon.video.encode import Allowance, FrameOptions
from mm2energon.video.sampling import Sampling

#: What `shard` has by default.
_MAX_SAMPLES, _FRAME_LIMIT, _VIDEO_SECONDS = 10_000, 100_000, 3600.0
_LEAST_MEMORY_BYTES = 4 << 30
#: Faults that are told.
_SHOWN = 20


def require_apart(wanted: ShardsWanted | None, source: Path) -> None:
    """Refuse shards that would take the place of those that they are made from.

    Raises:
        InputError: one of the two folders is the other, or lies in it.
    """
    if wanted is None or not source.is_dir():
        return
    output, read = wanted.output.resolve(), source.resolve()
    if output.is_relative_to(read) or read.is_relative_to(output):
        raise InputError(
            f"{wanted.output}: is where the shards lie that are exported ({source}); another folder was expected; "
            "choose another one for the new ones"
        )


def make_shards(
    entries: Path, root: Path, job: ExportJob, exported: Exported, *, progress: ProgressMaker
) -> frozenset[int]:
    """Write the shards that were asked for, and read them back; lines and status go into `exported`.

    Args:
        entries: what was exported, as ShareGPT, one a line.

    Returns:
        The lines, from 0, that are in no shard.

    Raises:
        InputError: as `shard`.
    """
    wanted = job.shards
    if wanted is None:
        return frozenset()
    try:
        report = shard(_job(entries, root, job, wanted, groups=len(exported.videos)), progress=progress)
    except InputError as error:
        told = str(error).replace("--output", "--shards")  # as the option is called here
        raise InputError(f"{job.output} is written, its shards are not: {told}") from error
    exported.shards = _written(wanted, report)
    found = verify(wanted.output, energon=verify_energon.is_installed(), progress=progress)
    faults = [f"FAULT {fault}" for fault in found.faults[:_SHOWN]]
    exported.shards += [*faults, f"read back: {found.fault_count or 'no'} fault{'s' * (found.fault_count > 1)}"]
    exported.shards_status = 1 if found.fault_count else 3 if report.account["set_aside"] else 0
    if not report.account["set_aside"]:
        return frozenset()
    lines = (entry.value["origin"] for entry in read_entries(Path(report.account["set_aside_file"])))
    return frozenset(int(origin.rpartition(":")[2]) - 1 for origin in lines)


def _job(entries: Path, root: Path, job: ExportJob, wanted: ShardsWanted, *, groups: int) -> ShardJob:
    sampling = Sampling(interval_seconds=wanted.interval_seconds)
    memory_bytes = max(_LEAST_MEMORY_BYTES, usable_memory_bytes() // job.workers)
    return ShardJob(
        root=root,
        annotations=(entries,),
        output=wanted.output,
        target=TARGETS[wanted.target],
        arrangement=Arrangement(_ratios(job.shares, groups), _MAX_SAMPLES, seed=job.seed),
        mending=Mending(),
        workers=job.workers,
        extraction=Extraction(
            FrameOptions(sampling), job.workers, Limits(_VIDEO_SECONDS, memory_bytes), Allowance(_FRAME_LIMIT)
        ),
        packs_frames=True,  # nothing is written beside the videos
        restart=wanted.restart or job.overwrite,
        further=job.further,
    )


def _ratios(shares: Mapping[str, float] | None, groups: int) -> dict[str, float]:
    """Shares of the splits; what stays together because it is of one video leaves nothing for val."""
    if shares is None:
        shares = {"train": 9.0, "val": 1.0 if groups > 1 else 0.0}
    return {split: float(shares.get(split, 0.0)) for split in SPLITS}


def _written(wanted: ShardsWanted, report: ShardReport) -> list[str]:
    account = report.account
    samples = ", ".join(f"{split} {count}" for split, count in account["written"].items() if count)
    lines = [
        f"{wanted.output}   for {wanted.target}: {report.shards} shards, {report.shard_bytes / 1e6:.1f} MB",
        f"samples: {samples}",
    ]
    if account["set_aside"]:
        reasons = ", ".join(f"{code} {count}" for code, count in account["set_aside"].items())
        lines.append(f"set aside: {reasons}; see {account['set_aside_file']}")
    return lines
