"""Shard: an annotation file to Energon shards; plan, run, finalize."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mm2energon import formats
from mm2energon.errors import InputError, SampleError, ToolkitError
from mm2energon.jsonio import Entry, read_entries
from mm2energon.pipeline.account import Account, open_account
from mm2energon.pipeline.extract import Extraction, extract_all
from mm2energon.pipeline.finalize import finalize, refused_at_last
from mm2energon.pipeline.ledger import STATE_FOLDER
from mm2energon.pipeline.loop import ProgressMaker, run_each, silent
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.plan import Arrangement, Plan, make_plan
from mm2energon.pipeline.prepare import Mending
from mm2energon.pipeline.run import ShardTask, write_shard
from mm2energon.pipeline.splits import SPLITS
from mm2energon.shards.metadata import FOLDER, MANIFEST
from mm2energon.shards.reader import read_index
from mm2energon.storage import inside_root
from mm2energon.targets import Target
from mm2energon.video.layout import find_frames

_OWN_SHARD = re.compile(rf"({'|'.join(SPLITS)})-shard-\d{{6,}}\.tar(\.idx)?")


@dataclass(frozen=True)
class ShardJob:
    """What `mm2energon shard` is asked to do."""

    root: Path
    annotations: Path
    output: Path
    target: Target
    arrangement: Arrangement
    mending: Mending
    workers: int
    #: None: a video without frames is set aside.
    extraction: Extraction | None
    seconds_per_grid: Literal["model", "pai"] = "model"
    default_fps: float | None = None
    decode_images: bool = False
    restart: bool = False

    def options(self) -> dict[str, Any]:
        """What decides the bytes, besides the input."""
        return {
            "target": self.target.name,
            **asdict(self.arrangement),
            **asdict(self.mending),
            "second_per_grid_ts": self.seconds_per_grid,
            "default_fps": self.default_fps,
        }


@dataclass
class ShardReport:
    """What `mm2energon shard` did."""

    account: dict[str, Any] = field(default_factory=dict)
    shards: int = 0
    videos_extracted: int = 0
    also_read_by: Mapping[str, int] = field(default_factory=dict)
    #: The output was complete already, from the same input and options.
    already_done: bool = False


def shard(job: ShardJob, *, progress: ProgressMaker = silent) -> ShardReport:
    """Write the shards of a dataset; the same command again completes a run that was cut off.

    Raises:
        InputError: the input cannot be read, no sample can be written, or the output holds something else.
    """
    _check(job)
    report = ShardReport()
    failures = _extract_missing(job, report, progress)
    state = job.output / STATE_FOLDER
    with open_account(job.output) as account:
        plan = _plan(job, failures, account, progress)
        report.shards, report.also_read_by = plan.units, {o: plan.refused_by.get(o, 0) for o in job.target.also}
        if _finished(job, plan):
            report.already_done = True
            account.written.update({split: count for split, count in plan.samples.items() if count})
        elif plan.units:
            _run(job, plan, progress)
            account.written.update(finalize(plan, job.output, target=job.target, options=job.options()))
            _set_aside_at_last(job, plan, account)
            shutil.rmtree(state)
    report.account = account.as_dict()
    if not sum(account.written.values()):
        shutil.rmtree(state, ignore_errors=True)
        raise InputError(
            f"{job.annotations}: none of {account.read} entries can be written; {job.output / 'set_aside.jsonl'} says why"
        )
    return report


def _check(job: ShardJob) -> None:
    if not job.root.is_dir():
        raise InputError(f"--dataset-root {job.root}: no such folder")
    if not job.annotations.is_file():
        raise InputError(
            f"--json {job.annotations}: no such file; make it with mm2energon frames (videos) or mm2energon normalize"
        )
    ratios = job.arrangement.ratios
    if any(not 0 <= share < float("inf") for share in ratios.values()) or not any(ratios.values()):
        shown = ", ".join(f"--{split}-split {share:g}" for split, share in ratios.items())
        raise InputError(f"{shown}: shares of 0 or more were expected, one of them above 0")
    if (job.output / FOLDER).is_dir() and not (job.output / FOLDER / MANIFEST).exists():
        raise InputError(f"{job.output}: holds a dataset that mm2energon did not write; choose another --output")
    if job.restart:
        _remove_own(job.output)


def _remove_own(output: Path) -> None:
    """Take away what an earlier run wrote, and nothing else."""
    for path in sorted(output.glob("*-shard-*.tar*")):
        if _OWN_SHARD.fullmatch(path.name):
            path.unlink()
    for name in (FOLDER, STATE_FOLDER):
        shutil.rmtree(output / name, ignore_errors=True)


def _entries(job: ShardJob) -> Iterator[Entry]:
    for entry in read_entries(job.annotations):
        yield from formats.unwrap(entry)


def _extract_missing(job: ShardJob, report: ShardReport, progress: ProgressMaker) -> dict[str, SampleError]:
    """Extract the videos that have no frames yet; the errors by video."""
    if job.extraction is None:
        return {}
    failures: dict[str, SampleError] = {}
    for one in extract_all(job.root, _videos_without_frames(job), job.extraction, progress=progress):
        if one.error is not None:
            failures[one.video] = one.error
        else:
            report.videos_extracted += 1
    return failures


def _videos_without_frames(job: ShardJob) -> list[str]:
    wanted: dict[str, bool] = {}
    for entry in _entries(job):
        try:
            if entry.error is not None:
                continue
            for video in formats.load(entry.value, origin=entry.origin).videos:
                name = inside_root(job.root, video, origin=entry.origin) if isinstance(video, str) else None
                if name is not None and name not in wanted:
                    wanted[name] = _lacks_frames(job, name)
        except SampleError:
            continue  # the plan meets the same entry, and sets it aside
    return [name for name, lacking in wanted.items() if lacking]


def _lacks_frames(job: ShardJob, name: str) -> bool:
    path = job.root / name
    try:
        return path.is_file() and find_frames(path, default_fps=job.default_fps) is None
    except SampleError:
        return False


def _plan(job: ShardJob, failures: dict[str, SampleError], account: Account, progress: ProgressMaker) -> Plan:
    """Make the plan; keep the one that is there when it is the same, and refuse when it is another.

    Raises:
        InputError: the output belongs to another plan.
    """
    state = job.output / STATE_FOLDER
    finder = MediaFinder(job.root, failures=failures, default_fps=job.default_fps, decode_images=job.decode_images)
    fresh = make_plan(
        state / "plan.new",
        _entries(job),
        target=job.target,
        mending=job.mending,
        finder=finder,
        arrangement=job.arrangement,
        options=job.options(),
        account=account,
        progress=progress,
    )
    current = state / "plan"
    if (current / "plan.json").exists() and Plan.hash_in(current) != fresh.content_hash:
        _refuse(job, "an unfinished run")
    if (current / "plan.json").exists():
        shutil.rmtree(fresh.folder)
    else:
        shutil.rmtree(current, ignore_errors=True)
        fresh.folder.rename(current)
    return fresh.moved(current)


def _finished(job: ShardJob, plan: Plan) -> bool:
    """Whether the output holds exactly what this plan would write.

    Raises:
        InputError: it holds what another plan wrote.
    """
    if not (job.output / FOLDER).is_dir():
        return False
    manifest = read_index(job.output).manifest
    whole = all((job.output / name).exists() for name in manifest.get("shards", {}))
    if manifest.get("plan") != plan.content_hash:
        shutil.rmtree(job.output / STATE_FOLDER)
        _refuse(job, "a finished dataset", _changed(manifest.get("options", {}), job.options()))
    if whole:
        shutil.rmtree(job.output / STATE_FOLDER)
    return whole


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = sorted(name for name in now if before.get(name) != now[name])
    return "; changed: " + (", ".join(names) or "the annotations or the media")


def _refuse(job: ShardJob, what: str, changed: str = "") -> None:
    raise InputError(
        f"{job.output}: holds {what} made from other input or options{changed}; "
        "--restart writes it anew, --output takes another folder"
    )


def _run(job: ShardJob, plan: Plan, progress: ProgressMaker) -> None:
    tasks = (
        ShardTask(
            plan=plan,
            number=number,
            root=job.root,
            output=job.output,
            target=job.target.name,
            min_side=job.target.rules.min_side if job.mending.enlarge_small_images else 1,
            pai_seconds=job.seconds_per_grid == "pai",
        )
        for number in range(plan.units)
    )
    bar = progress("samples", sum(plan.samples.values()))
    workers = min(job.workers, plan.units)
    for outcome in run_each(write_shard, tasks, workers=workers if workers > 1 else 0):
        if outcome.error is not None:
            raise ToolkitError(f"{outcome.error}; run the same command again to go on")
        bar.update(outcome.result or 0)
    bar.close()


def _set_aside_at_last(job: ShardJob, plan: Plan, account: Account) -> None:
    """Account for samples that were planned, and whose media could not be read when their turn came."""
    refused = refused_at_last(plan)
    if not refused:
        return
    for entry in _entries(job):
        if entry.origin in refused:
            code, message = refused[entry.origin]
            account.set_aside(entry, SampleError(message, code))
