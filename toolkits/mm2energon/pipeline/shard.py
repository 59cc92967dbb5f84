"""Shard: annotation files to Energon shards; plan, run, finalize."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError, SampleError, ToolkitError
from mm2energon.jsonio import Entry
from mm2energon.pipeline.account import Account, is_kept, open_account
from mm2energon.pipeline.annotations import entries_of
from mm2energon.pipeline.brought import entries_brought
from mm2energon.pipeline.collect import Collected, collect_entries
from mm2energon.pipeline.finalize import finalize
from mm2energon.pipeline.lease import leased
from mm2energon.pipeline.loop import ProgressMaker, run_each, silent
from mm2energon.pipeline.output import (
    check_owner,
    finished_manifest,
    forget_attempt,
    held_by_us,
    keep_plan,
    packs_of,
    remove_own,
    remove_state,
    remove_temporary,
    state_of,
)
from mm2energon.pipeline.parts import HowPrepared, Piece, Where, collect_parts, cut
from mm2energon.pipeline.plan import Plan, Planning, make_plan
from mm2energon.pipeline.retry import read_set_aside
from mm2energon.pipeline.run import BYTES_OF_A_WORKER, ShardTask, write_shard
from mm2energon.pipeline.shard_job import ShardJob, ShardReport, check_job
from mm2energon.pipeline.space import warn_of_shards
from mm2energon.pipeline.stored import StoredOutput
from mm2energon.pipeline.videos import Videos
from mm2energon.stopwatch import Stopwatch
from mm2energon.video.pack import Packs, forget_frames


def shard(job: ShardJob, *, progress: ProgressMaker = silent) -> ShardReport:
    """Write the shards of a dataset; the same command again completes a run that was cut off.

    Raises:
        InputError: the input cannot be read, no sample can be written, or the output holds something else.
    """
    check_job(job)
    mirror = job.stores.output
    with held_by_us(job.output), leased(None if mirror is None else mirror.remote) as lease:
        stored = None if mirror is None or lease is None else StoredOutput(mirror, lease)
        check_owner(job.output)
        remove_temporary(job.output)
        try:
            report = _shard(job, stored, progress)
        except InputError:
            if stored is not None:
                stored.finish()
            raise
        if stored is not None:
            stored.finish()
        return report


def _shard(job: ShardJob, stored: StoredOutput | None, progress: ProgressMaker) -> ShardReport:
    report = ShardReport()
    kept = _kept_plan(job)
    videos = None if kept else _find_videos(job, report.watch)
    if videos is not None:
        videos.extract(progress=progress, again=job.restart)
    with open_account(job.output, command="shard", options=job.options(), sources=job.sources) as account:
        with report.watch.time("plan"):
            plan = kept or _plan(job, videos, account, progress)
        if kept:
            account.take_over(kept.folder)
        elif plan.units and job.executor is not None:
            account.notes = {} if videos is None else videos.told()
            account.keep(plan.folder)
        report.also_read_by = {other: plan.refused_by.get(other, 0) for other in job.target.also}
        report.other_rates = plan.other_rates
        if plan.units:
            manifest = _complete(job, plan, videos, stored, report, progress)
            account.written.update({split: count for split, count in manifest["samples"].items() if count})
            _set_aside_at_last(job, manifest["set_aside_at_last"], account)
            account.facts = {"shards": report.shards, "shard_bytes": report.shard_bytes, "formats": _formats(manifest)}
    if plan.units:
        forget_frames(packs_of(job.output))
        remove_state(job.output)
    else:
        forget_attempt(job.output, plan.folder)
    report.tell_videos(account.notes if videos is None else videos.told())
    report.account = account.as_dict()
    account.require_written(*job.sources)
    return report


def _kept_plan(job: ShardJob) -> Plan | None:
    """The plan to go on with, without another look at the input; None where there is none, or nobody wants it."""
    folder = state_of(job.output) / "plan"
    return Plan.load(folder, job.options()) if job.keeps_plan and is_kept(folder) else None


def _complete(
    job: ShardJob,
    plan: Plan,
    videos: Videos | None,
    stored: StoredOutput | None,
    report: ShardReport,
    progress: ProgressMaker,
) -> Mapping[str, Any]:
    """Write what is missing of the planned dataset; its manifest."""
    manifest = finished_manifest(job.output, plan, job.options())
    report.already_done = manifest is not None
    if manifest is None:
        if videos is not None and videos.packs is not None:
            videos.extract(progress=progress, again=True)
        with report.watch.time("shards"):
            if stored is not None:
                stored.publish(plan)
            _run(job, plan, progress)
            if stored is not None:
                stored.collect()
        with report.watch.time("index"):
            manifest = finalize(plan, job.output, target=job.target, options=job.options(), is_here=stored is None)
    report.shards = len(manifest["shards"])
    report.shard_bytes = sum(about["bytes"] for about in manifest["shards"].values())
    return manifest


def _entries(job: ShardJob) -> Iterator[Entry]:
    found = entries_of(job.root, job.annotations) if job.retry is None else read_set_aside(job.retry)
    for entry in found:
        yield from formats.unwrap(entry)


def _find_videos(job: ShardJob, watch: Stopwatch) -> Videos | None:
    """The videos of the annotations; None when nothing is to be extracted."""
    if job.extraction is None:
        return None
    how = job.extraction
    is_stored = job.stores.root is not None
    packs = None
    if job.packs_frames:
        packs = Packs(job.root, packs_of(job.output), how.options, how.allowance, by_size=is_stored)
    videos = Videos(job.root, job.extraction, packs, watch, job.further, job.stores.root)
    with watch.time("annotations"):
        entries = _entries(job)
        if job.stores.root is not None:
            entries = entries_brought(entries, job.stores.root, pictures=False)
        videos.find(entries, default_fps=job.default_fps)
    return videos


def _plan(job: ShardJob, videos: Videos | None, account: Account, progress: ProgressMaker) -> Plan:
    how = _how_prepared(job, videos)
    failures, found = (videos.failures, videos.found) if videos else ({}, None)
    planning = Planning(how.preparing(failures, found=found), job.arrangement, job.options())
    folder = state_of(job.output) / "plan.new"
    parts = _parts(job)

    def fill(collected: Collected) -> Iterator[tuple[bytes, int]]:
        if parts is not None:
            where = Where(job.workers, job.planner)
            return collect_parts(parts, how, collected, account, failures=failures, where=where)
        entries = _entries(job)
        if job.stores.root is not None:
            entries = entries_brought(entries, job.stores.root)
        return collect_entries(entries, planning.preparing, collected, account)

    try:
        fresh = make_plan(folder, fill, planning, progress=progress)
        if not fresh.units:
            return fresh
        if job.restart:  # only now: a plan that comes to nothing leaves what is there
            remove_own(job.output)
        return keep_plan(job.output, fresh)
    except BaseException:
        forget_attempt(job.output, folder)
        raise


def _how_prepared(job: ShardJob, videos: Videos | None) -> HowPrepared:
    return HowPrepared(
        root=job.root,
        root_of=None if job.stores.root is None else job.stores.root.of,
        target=job.target.name,
        mending=job.mending,
        group_by=job.arrangement.group_by,
        seed=job.arrangement.seed,
        further=job.further,
        default_fps=job.default_fps,
        decode_images=job.decode_images,
        packs=videos.packs if videos else None,
        counting=job.counting,
        max_tokens=job.max_tokens,
    )


def _parts(job: ShardJob) -> Iterator[tuple[Piece, ...]] | None:
    """The entries in parts, for several workers; None where they are prepared here."""
    is_shared = job.planner is None or (job.stores.output is None and not job.packs_frames)
    if job.retry is not None or not is_shared or (job.workers < 2 and job.planner is None):
        return None
    parts = cut(job.root, job.annotations)
    first = list(islice(parts, 2))
    return chain(first, parts) if len(first) > 1 else None


def _run(job: ShardJob, plan: Plan, progress: ProgressMaker) -> None:
    stores = job.stores
    tasks = (
        ShardTask(
            # Paths of mirrors mean nothing to others, and would be other ones the next time.
            plan=plan if stores.output is None else plan.moved(Path()),
            number=number,
            root=job.root if stores.root is None else Path(),
            output=job.output if stores.output is None else Path(),
            target=job.target.name,
            min_side=job.target.rules.min_side if job.mending.enlarge_small_images else 1,
            pai_seconds=job.seconds_per_grid == "pai",
            packs=packs_of(job.output) if job.packs_frames else None,
            further=job.further,
            root_of=None if stores.root is None else stores.root.of,
            output_of=None if stores.output is None else stores.output.of,
        )
        for number in range(plan.units)
    )
    if stores.output is None:
        there = sum(path.stat().st_size for path in job.output.glob("*-shard-*.tar"))
        warn_of_shards(job.output, plan.shard_bytes - there)
    bar = progress("samples", sum(plan.samples.values()))
    workers = min(job.workers, plan.units, 1 + plan.work_bytes // BYTES_OF_A_WORKER)
    for outcome in run_each(write_shard, tasks, workers=workers if workers > 1 else 0, executor=job.executor):
        if outcome.error is not None:
            raise ToolkitError(f"{outcome.error}; run the same command again to go on")
        bar.update(outcome.result or 0)
    bar.close()


def _formats(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Annotation format -> samples that were written; empty for a dataset of an older version."""
    counts: Counter[str] = Counter()
    for of_split in manifest.get("formats", {}).values():
        counts.update(of_split)
    return dict(sorted(counts.items()))


def _set_aside_at_last(job: ShardJob, refused: Mapping[str, tuple[str, str]], account: Account) -> None:
    """Account for samples that were planned, and whose media could not be read when their turn came."""
    left = dict(refused)
    entries = _entries(job) if left else iter(())
    while left and (entry := next(entries, None)) is not None:  # up to the last of them, and not to the end
        if entry.origin in left:
            code, message = left.pop(entry.origin)
            account.set_aside(entry, SampleError(message, code))
