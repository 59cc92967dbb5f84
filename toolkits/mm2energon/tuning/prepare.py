"""Prepare: annotation files to the samples of a run, each checked, its videos decoded, dealt to train and val.

    OUTPUT/.mm2energon/finetune/train.jsonl, val.jsonl      a prepared sample a line
    OUTPUT/.mm2energon/finetune/prepared.json               what they were made from; written last
    OUTPUT/.mm2energon/frames/                              packs: the frames of videos that have none beside them

Frames are decoded once, in workers that may be killed, and read from the packs in each pass and after each stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mm2energon import formats
from mm2energon.errors import InputError, SampleError
from mm2energon.jsonio import Entry, dumps, loads
from mm2energon.pipeline.account import Account, open_account
from mm2energon.pipeline.annotations import entries_of, files_of
from mm2energon.pipeline.budget import Budget, Counting, Meter
from mm2energon.pipeline.extract import Extraction
from mm2energon.pipeline.loop import Limits, ProgressMaker
from mm2energon.pipeline.machine import usable_memory_bytes
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.output import packs_of
from mm2energon.pipeline.prepare import Prepared, content_name, group_names, prepare
from mm2energon.pipeline.splits import SPLITS, Groups, assign
from mm2energon.pipeline.videos import Videos
from mm2energon.rules import Rules
from mm2energon.stopwatch import Stopwatch
from mm2energon.storage import write_whole
from mm2energon.targets import TARGETS
from mm2energon.tuning.job import TuneJob
from mm2energon.video.encode import Allowance
from mm2energon.video.pack import Packs

#: What the training takes: what its own encoder reads, and what has something to be learnt.
_TARGET = replace(TARGETS["crude"], name="finetune", rules=Rules(no_control_tokens=True))
_VIDEO_SECONDS = 3600.0
_VIDEO_MEMORY_BYTES = 4 << 30
_PREPARED = "prepared.json"


@dataclass(frozen=True)
class Counts:
    """How many samples there are, and what became of the entries."""

    train: int
    val: int
    #: As of `Account.as_dict`.
    account: Mapping[str, Any]
    #: Videos that were decoded for this run, and those whose frames were there.
    extracted: int = 0
    ready: int = 0


def state_folder(output: Path) -> Path:
    """Where the prepared samples of a run lie."""
    return packs_of(output).with_name("finetune")


def rows_path(output: Path, split: str) -> Path:
    """The prepared samples of one split."""
    return state_folder(output) / f"{split}.jsonl"


def sources_of(job: TuneJob) -> list[Path]:
    """The annotation files of a run.

    Raises:
        InputError: a folder holds none, or a file is given twice.
    """
    try:
        found = files_of(job.root, [path.absolute() for path in job.data]).paths
    except InputError as error:
        raise InputError(str(error).replace("--json", "--data")) from error  # as the option is called here
    return [path for path in found if isinstance(path, Path)]


def read_prepared(output: Path, fingerprint: str) -> Counts | None:
    """What an earlier start prepared for the same run; None where there is nothing."""
    try:
        told = loads((state_folder(output) / _PREPARED).read_bytes())
        return Counts(**told["counts"]) if told["of"] == fingerprint else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def prepare_samples(job: TuneJob, fingerprint: str, *, counting: Counting | None, progress: ProgressMaker) -> Counts:
    """Prepare the samples of a run; nothing is done where they are there, unless it begins anew.

    Args:
        fingerprint: of all that decides them.
        counting: counts the tokens of each, where they have a limit.

    Raises:
        InputError: the annotations cannot be read, or hold nothing that can be learnt.
    """
    if not job.restart and (known := read_prepared(job.output, fingerprint)) is not None:
        return known
    sources = sources_of(job)
    videos = _videos(job)
    videos.find(_entries(job, sources), default_fps=None)
    videos.extract(progress=progress, again=True)
    finder = MediaFinder(
        job.root, further=job.further, failures=videos.failures, found=videos.found, packs=videos.packs
    )
    budget = None if counting is None else Budget(Meter(counting), job.settings.max_tokens)
    folder = state_folder(job.output)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _PREPARED).unlink(missing_ok=True)  # the files of before are written over
    with open_account(job.output, command="finetune", options=job.asked(), sources=sources) as account:
        written = _deal(job, _prepared(job, sources, finder, budget, account, progress))
        account.written.update({split: count for split, count in written.items() if count})
    account.require_written(*sources)
    counts = Counts(written["train"], written["val"], account.as_dict(), videos.extracted, videos.ready)
    with write_whole(folder / _PREPARED) as file:
        file.write(dumps({"of": fingerprint, "counts": vars(counts)}))
    return counts


def packs(job: TuneJob) -> Packs:
    """The frames that a run decodes itself."""
    return Packs(job.root, packs_of(job.output), job.settings.frames(), _ALLOWANCE)


_ALLOWANCE = Allowance()


def _videos(job: TuneJob) -> Videos:
    memory = max(_VIDEO_MEMORY_BYTES, usable_memory_bytes() // job.workers)
    limits = Limits(seconds=_VIDEO_SECONDS, memory_bytes=memory)
    extraction = Extraction(job.settings.frames(), job.workers, limits, _ALLOWANCE)
    return Videos(job.root, extraction, packs(job), Stopwatch(), job.further)


def _entries(job: TuneJob, sources: list[Path]) -> Iterator[Entry]:
    for entry in entries_of(job.root, sources):
        yield from formats.unwrap(entry)


def _prepared(
    job: TuneJob,
    sources: list[Path],
    finder: MediaFinder,
    budget: Budget | None,
    account: Account,
    progress: ProgressMaker,
) -> Iterator[Prepared]:
    bar = progress("entries", None)
    mending = Mending(prepend_missing_tags=job.settings.prepend_missing_tags, max_frames=job.settings.max_frames)
    for entry in _entries(job, sources):
        account.read += 1
        bar.update(1)
        try:
            yield prepare(entry, target=_TARGET, mending=mending, finder=finder, budget=budget)
        except SampleError as error:
            account.set_aside(entry, error)
    bar.close()


def _deal(job: TuneJob, samples: Iterator[Prepared]) -> dict[str, int]:
    """Write the samples into the files of their splits; groups stay together."""
    folder, share = state_folder(job.output), job.settings.val_share
    groups = Groups(seed=job.settings.seed)
    with ExitStack() as stack:
        all_rows = stack.enter_context((folder / "all.jsonl").open("w+b"))
        for prepared in samples:
            all_rows.write(dumps(prepared.as_json()) + b"\n")
            groups.add(group_names(prepared, job.settings.group_by), own=[content_name(prepared.sample)])
        all_rows.seek(0)
        files = {split: stack.enter_context(write_whole(folder / f"{split}.jsonl")) for split in ("train", "val")}
        counts = dict.fromkeys(files, 0)
        split_of = assign(groups, {"train": 1 - share, "val": share}) if len(groups) else ()
        for line, place in zip(all_rows, split_of, strict=True):
            files[SPLITS[place]].write(line)
            counts[SPLITS[place]] += 1
    (folder / "all.jsonl").unlink()
    groups.close()
    return counts
