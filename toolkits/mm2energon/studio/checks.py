"""Checks: what a sample costs a model in tokens, and what each target's reader would lose; it runs in a worker."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from mm2energon.errors import SampleError
from mm2energon.formats import sharegpt
from mm2energon.jsonio import Entry
from mm2energon.pipeline.budget import Budget, Counting, Meter
from mm2energon.pipeline.media import MediaFinder
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.prepare import prepare
from mm2energon.pipeline.record_content import Content
from mm2energon.roots import inside_root
from mm2energon.rules import check_text
from mm2energon.sample import Sample
from mm2energon.targets import TARGETS, Target
from mm2energon.video.layout import find_frames
from mm2energon.video.pack import Packs

#: Message and code of what is wrong; None: nothing.
Fault = dict[str, str]


@dataclass(frozen=True)
class Checked:
    """A sample, and by what it is checked."""

    sample: Sample
    root: Path
    further: tuple[Path, ...]
    #: The target whose warnings are told in full.
    target: str
    counting: Counting
    #: Frames of videos that have none beside them.
    packs: Packs
    #: Videos of which none could be made, and why.
    failures: Mapping[str, SampleError] = field(default_factory=dict)
    #: What its record holds, where it lies in a shard.
    content: Content | None = None

    def __str__(self) -> str:
        return self.sample.origin


def check_sample(job: Checked) -> dict[str, Any]:
    """Tokens, warnings of one target, and the first fault that each target's reader would find."""
    found = _of_record(job, job.content) if job.content is not None else _of_files(job)
    return {"target": job.target, "model": job.counting.model, **found}


def _of_files(job: Checked) -> dict[str, Any]:
    sample = job.sample
    finder = MediaFinder(job.root, further=job.further, failures=job.failures, packs=job.packs)
    faults = {name: _fault_of(sample, target, finder) for name, target in TARGETS.items()}
    rules = TARGETS[job.target].rules
    warnings = [_told(lambda: check_text(sample, rules)), _told(lambda: finder.find(sample)), faults[job.target]]
    tokens: dict[str, Any] | None = None
    try:
        measured = Budget(_meter(job.counting)).take(sample, finder.find(sample))
        tokens = {**measured.as_json(), "total": measured.total}
    except SampleError as error:
        warnings.append(_fault(error))
    return {"tokens": tokens, "warnings": _distinct(warnings), "targets": faults}


def videos_without_frames(job: Checked) -> list[str]:
    """The videos of a sample that are there and have no frames beside them, by their names below the root."""
    names = []
    for video in job.sample.videos:
        if isinstance(video, tuple):
            continue
        with contextlib.suppress(SampleError):  # the finder says so
            name = inside_root(job.root, video, origin=job.sample.origin, further=job.further)
            if (job.root / name).is_file() and find_frames(job.root / name) is None:
                names.append(name)
    return list(dict.fromkeys(names))


def _fault_of(sample: Sample, target: Target, finder: MediaFinder) -> Fault | None:
    entry = Entry(sample.origin, sharegpt.dump(sample))
    return _told(lambda: prepare(entry, target=target, mending=Mending(), finder=finder))


def _of_record(job: Checked, content: Content) -> dict[str, Any]:
    from mm2energon.studio.record_checks import check_record

    return check_record(content, job.sample, job.target, _meter(job.counting))


def _told(ask: Any) -> Fault | None:
    try:
        ask()
    except SampleError as error:
        return _fault(error)
    return None


def _fault(error: SampleError) -> Fault:
    return {"code": error.code, "message": str(error)}


def _distinct(faults: list[Fault | None]) -> list[Fault]:
    by_code = {fault["code"]: fault for fault in reversed(faults) if fault is not None}
    return list(reversed(by_code.values()))


@lru_cache(maxsize=4)
def _meter(counting: Counting) -> Meter:
    return Meter(counting)
