"""`mm2energon repair` = repair_shards.py."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.options import add_sources, sources_of
from mm2energon.commands.values import count
from mm2energon.pipeline.doctor_findings import FINDINGS
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.repair import UNMENDED_NAME, Repaired, RepairJob, repair
from mm2energon.targets import TARGETS

#: Exit status when something could not be mended.
_UNMENDED = 3
_SHARES = {"train": 9.0, "val": 1.0, "test": 0.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("shards", type=Path, nargs="?", default=Path("wds"), help="folder of the shards (wds)")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of the mended shards; it must not be there yet"
    )
    parser.add_argument("--target", choices=list(TARGETS), help="who shall read the shards (whom dataset.yaml names)")
    add_sources(parser)
    parser.add_argument(
        "--keep-second-per-grid-ts", action="store_true", help="it is 2 / fps already: leave it as it is"
    )
    group = parser.add_argument_group("splits and shards (splits that are sound stay, unless a share is given)")
    for split, share in _SHARES.items():
        group.add_argument(f"--{split}-split", type=float, help=f"share of {split} ({share:g})")
    group.add_argument("--max-samples-per-tar", type=count, default=10_000, help="samples in a shard (10000)")
    group.add_argument("--seed", type=int, default=42, help="changes which samples go where (42)")


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Write a dataset anew, mended."""
    job = RepairJob(
        root=arguments.shards,
        output=arguments.output.absolute(),
        target=None if arguments.target is None else TARGETS[arguments.target],
        ratios=_ratios(arguments),
        sources=sources_of(arguments),
        keep_seconds=arguments.keep_second_per_grid_ts,
        max_samples=arguments.max_samples_per_tar,
        seed=arguments.seed,
    )
    done = repair(job, progress=progress)
    if done.nothing_to_mend:
        return _nothing(done)
    return Result(_lines(job, done), _UNMENDED if done.unmended or done.left_out else 0)


def _nothing(done: Repaired) -> Result:
    """What to say where nothing was written."""
    found = done.examination
    if not found.findings:
        return Result([f"{found.root}: nothing is wrong with it; nothing was written"])
    codes = ", ".join(finding.code for finding in found.findings)
    told = any(finding.kind.repair != "no" for finding in found.findings)
    hint = "; --from-sources mends more" if told else ""
    return Result(
        [f"{found.root}: what is wrong cannot be mended as it is ({codes}); nothing was written{hint}"], _UNMENDED
    )


def _ratios(arguments: argparse.Namespace) -> Mapping[str, float] | None:
    given = {split: getattr(arguments, f"{split}_split") for split in _SHARES}
    if all(share is None for share in given.values()):
        return None
    return {split: _SHARES[split] if share is None else share for split, share in given.items()}


def _lines(job: RepairJob, done: Repaired) -> list[str]:
    target = done.target
    lines = [
        f"{job.output}   for {target.name}: {target.reader}" if target else str(job.output),
        f"  {done.shards} shards; splits {done.splits}",
        *(f"  note: {note}" for note in done.examination.notes),
        *(f"mended     {_counted(code, number)}" for code, number in sorted(done.mended.items())),
        *(f"LEFT       {_counted(code, number)}" for code, number in sorted(done.unmended.items())),
        f"read       {done.examination.samples:>8}",
        f"written    {sum(done.written.values()):>8}" + _details(done.written),
        f"left out   {sum(done.left_out.values()):>8}" + _details(done.left_out),
    ]
    named = job.output / UNMENDED_NAME
    if named.is_file():
        lines.append(f"           see {named}")
    for finding in done.examination.findings:
        if finding.code == "broken-shard":
            lines.append(f"broken: {finding.example}; what stands behind the break is not counted")
    return [*lines, f"Check it: mm2energon verify {shlex.quote(str(job.output))}"]


def _counted(code: str, number: int) -> str:
    of = FINDINGS[code].of
    return f"{code}: {number} {of}" if of else code


def _details(counts: Mapping[str, int]) -> str:
    return f"   ({', '.join(f'{name} {number}' for name, number in sorted(counts.items()))})" if counts else ""
