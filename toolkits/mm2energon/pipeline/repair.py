"""Repair: write a dataset anew with what can be mended of it mended, into another folder, whole or not at all.

Two passes: the first is doctor's and finds what is wrong, the second writes. Every sample goes over; what cannot be
mended goes over as it is, and is named in `unmended.jsonl`. Only what `split.yaml` excludes, or what was cut off in the
middle, is left out, and named there, too.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mm2energon
from mm2energon.errors import InputError
from mm2energon.jsonio import write_entries
from mm2energon.pipeline.doctor import AS_FOUND, Examination, examine, option
from mm2energon.pipeline.doctor_metadata import FoundMetadata, reader_of
from mm2energon.pipeline.doctor_records import Chat
from mm2energon.pipeline.doctor_sources import Sources
from mm2energon.pipeline.doctor_tars import FoundSample, FoundTar
from mm2energon.pipeline.loop import ProgressMaker, silent
from mm2energon.pipeline.output import held_by_us
from mm2energon.pipeline.repair_mend import Mender, group_names
from mm2energon.pipeline.repair_write import DatasetWriter
from mm2energon.pipeline.splits import SPLITS, Groups, assign
from mm2energon.shards.keys import make_key
from mm2energon.storage import sync_folder
from mm2energon.targets import Target, dataset_yamls

UNMENDED_NAME = "unmended.jsonl"
#: What `unmended.jsonl` calls samples that split.yaml takes out.
EXCLUDED = "excluded"
_USUAL_RATIOS = {"train": 9.0, "val": 1.0, "test": 0.0}
#: Findings about keys, all of which are mended by new keys for all samples.
_OF_KEYS = ("dotted-key", "repeated-key", "bad-key")


@dataclass(frozen=True)
class RepairJob:
    """What `mm2energon repair` is asked to do."""

    root: Path
    output: Path
    #: Who shall read it; None: the reader that its dataset.yaml names.
    target: Target | None = None
    #: Shares of the splits; None: the splits stay, where they are sound.
    ratios: Mapping[str, float] | None = None
    #: The folder of the sources, the annotation file, and further roots of media.
    sources: tuple[Path, Path, tuple[Path, ...]] | None = None
    #: second_per_grid_ts is 2 / fps already, whatever it looks like.
    keep_seconds: bool = False
    max_samples: int = 10_000
    seed: int = 42

    def can_mend(self, found: Examination) -> bool:
        """Whether there is something to do."""
        kinds = {finding.kind.repair for finding in found.findings}
        return bool("yes" in kinds or self.target or self.ratios or self.sources)


@dataclass
class Repaired:
    """What `mm2energon repair` did."""

    examination: Examination
    target: Target | None = None
    #: Split -> samples; samples that were left out, by code.
    written: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    shards: int = 0
    #: Code -> samples that are mended of it, and samples that are not.
    mended: Counter[str] = field(default_factory=Counter)
    unmended: Counter[str] = field(default_factory=Counter)
    #: What became of the splits.
    splits: str = ""
    #: Nothing is wrong that can be mended, and nothing was written.
    nothing_to_mend: bool = False


def repair(job: RepairJob, *, progress: ProgressMaker = silent) -> Repaired:
    """Write a dataset anew, mended.

    Raises:
        InputError: the dataset cannot be looked at, its reader is not known, or the output is taken.
    """
    _check(job)
    groups, writable = Groups(seed=job.seed), set[str]()

    def note(sample: FoundSample, chat: Chat | None, metadata: FoundMetadata) -> None:
        if _why_left_out(sample, metadata) is None:
            shared, own = group_names(sample, chat)
            groups.add(shared, own=own)
            writable.add(sample.shard)

    report = Repaired(examine(job.root, watch=note, progress=progress))
    if not job.can_mend(report.examination):
        report.nothing_to_mend = True
        return report
    report.target = _target(job, report.examination)
    _check_room(job)
    fresh = job.output.parent / f".{job.output.name}.mm2energon-repair"
    with held_by_us(fresh), contextlib.ExitStack() as stack:
        try:
            _clear(fresh)  # what a run left that was killed
            sources = None if job.sources is None else Sources(*job.sources)
            if sources is not None:
                stack.callback(sources.close)
            _Repair(job, report, groups, sources, kept=_kept_splits(job, report.examination, writable)).write(
                fresh, progress
            )
            fresh.replace(job.output)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    sync_folder(job.output.parent)
    return report


def _check(job: RepairJob) -> None:
    root, output = job.root.resolve(), job.output.resolve()
    if root == output or root in output.parents or output in root.parents:
        raise InputError(f"--output {job.output}: lies in {job.root}, or around it; a folder beside it was expected")
    if job.output.exists() and (not job.output.is_dir() or any(job.output.iterdir())):
        raise InputError(f"--output {job.output}: is there already; repair writes anew; choose another name")
    ratios = job.ratios or _USUAL_RATIOS
    if any(share < 0 for share in ratios.values()) or not 0 < sum(ratios.values()) < float("inf"):
        shown = ", ".join(f"--{split}-split {share:g}" for split, share in ratios.items())
        raise InputError(f"{shown}: shares of 0 or more were expected, one of them above 0")


def _target(job: RepairJob, found: Examination) -> Target:
    target = job.target or found.target
    if target is None:
        raise InputError(
            f"{job.root}: its dataset.yaml names {reader_of(found.metadata.config or {})}, which no target of ours "
            "has; say with --target who shall read it"
        )
    if not target.images_part and target is not found.target:
        raise InputError(
            f"--target {target.name}: has a member for each picture, where {job.root} has lists of them; "
            "write it from its sources with mm2energon shard"
        )
    return target


def _check_room(job: RepairJob) -> None:
    """Refuse what the disk has no room for: the new folder is about as large as the old one."""
    needed = sum(path.stat().st_size for path in job.root.rglob("*.tar") if path.is_file())
    job.output.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(job.output.parent).free
    if needed > free:
        raise InputError(
            f"--output {job.output}: about {needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free; make room"
        )


def _kept_splits(job: RepairJob, found: Examination, writable: set[str]) -> dict[str, str] | None:
    """Shard -> split, where the splits are sound and stay; None where samples are dealt anew.

    Args:
        writable: shards of which some sample goes over.
    """
    splits = None if job.ratios else found.metadata.by_split
    if splits is None or writable.isdisjoint(splits["train"]):
        return None
    return {name: split for split, names in splits.items() for name in names}


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


class _Repair:
    """The second pass."""

    def __init__(
        self,
        job: RepairJob,
        report: Repaired,
        groups: Groups,
        sources: Sources | None,
        *,
        kept: Mapping[str, str] | None,
    ) -> None:
        """
        Args:
            kept: shard -> split, where the splits stay.
        """
        self._job = job
        self._report = report
        self._found = report.examination
        self._target = _target(job, report.examination)
        self._new_keys = not self._found.codes().isdisjoint(_OF_KEYS)
        self._mender = Mender(self._target, sources, self._found.metadata, keep_seconds=job.keep_seconds)
        self._split_of = self._deal(groups, kept)

    def _deal(self, groups: Groups, kept: Mapping[str, str] | None) -> Callable[[int, str], str]:
        """What says the split of a sample, by its place among those that are written, and its shard."""
        if kept is not None:
            self._report.splits = "as they were"
            return lambda _place, shard: kept[shard]
        ratios = self._job.ratios or _USUAL_RATIOS
        shares = ":".join(f"{share:g}" for share in ratios.values())
        self._report.splits = f"dealt anew, {shares}; samples that share a medium stay together"
        dealt = assign(groups, ratios)
        return lambda place, _shard: SPLITS[dealt[place]]

    def write(self, folder: Path, progress: ProgressMaker) -> None:
        """Write the dataset to a folder."""
        report, bar = self._report, progress("samples", self._found.samples)
        number = 0
        with (
            write_entries(folder / UNMENDED_NAME) as lines,
            DatasetWriter(folder, max_samples=self._job.max_samples) as out,
        ):
            for name in self._found.metadata.tars:
                for sample in FoundTar(self._job.root, name).samples():
                    for line in self._write_one(out, number, sample):
                        lines.write(line)
                    number += 1
                    bar.update(1)
            if not report.written:
                raise InputError(f"{self._job.root}: no sample of it can be read; nothing was written")
            self._sum_up()
            out.finish(dataset_yamls=dataset_yamls(self._target), manifest=self._manifest())
        bar.close()
        report.shards = len(out.shards)
        if not lines.count:
            (folder / UNMENDED_NAME).unlink()

    def _write_one(self, out: DatasetWriter, number: int, sample: FoundSample) -> list[dict[str, Any]]:
        """Write a sample; the lines that name what stays wrong with it."""
        report = self._report
        if why := _why_left_out(sample, self._found.metadata):
            report.left_out[why[0]] += 1
            return [{"was": str(sample), "key": None, "reason": why[0], "message": why[1]}]
        record, left = self._mender.mend(sample, keep_id=self._new_keys)
        key = make_key(number, sample.key) if self._new_keys else sample.key
        split = self._split_of(report.written.total(), sample.shard)
        out.write(split, key, record)
        report.written[split] += 1
        report.unmended.update({code for code, _ in left})
        return [{"was": str(sample), "key": key, "reason": code, "message": message} for code, message in left]

    def _sum_up(self) -> None:
        """Add what is mended of the whole, and not of single samples."""
        report = self._report
        report.mended.update(self._mender.mended)
        for finding in self._found.findings:
            if finding.code in _OF_KEYS or (finding.kind.repair == "yes" and finding.kind.of != "samples"):
                report.mended[finding.code] = finding.count
            elif finding.code in ("broken-shard", "odd-member"):
                report.unmended[finding.code] = max(report.unmended[finding.code], finding.count)
        if self._mender.untold:
            report.unmended.update({"re-encoded": self._mender.re_encoded})
            report.unmended["colours-untold"] = self._mender.untold

    def _manifest(self) -> dict[str, Any]:
        before = self._found.metadata.manifest
        options = before.get("options")
        return {
            "made_by": f"mm2energon {mm2energon.__version__}",
            "target": self._target.name,
            "options": {**(options if isinstance(options, dict) else {}), "second_per_grid_ts": self._seconds()},
            "samples": {split: self._report.written[split] for split in SPLITS},
            "repaired": {
                "written_by": self._found.written_by,
                "mended": dict(sorted(self._report.mended.items())),
                "unmended": dict(sorted(self._report.unmended.items())),
                "left_out": dict(sorted(self._report.left_out.items())),
                "re_encoded": self._mender.re_encoded,
            },
        }

    def _seconds(self) -> str:
        """What second_per_grid_ts holds now."""
        if self._job.keep_seconds or not self._mender.seconds_as_found:
            return "model"
        return str(option(self._found.metadata, "second_per_grid_ts") or AS_FOUND)


def _why_left_out(sample: FoundSample, metadata: FoundMetadata) -> tuple[str, str] | None:
    """(code, message) of a sample that is not written; None of all others."""
    if not {sample.shard, str(sample)}.isdisjoint(metadata.excluded):
        return EXCLUDED, f"{sample}: split.yaml excludes it"
    if sample.cut_off:
        return "broken-shard", f"{sample}: it is cut off with its tar"
    return None
