"""`mm2energon mix` = mix_annotations.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.options import accounted, add_overwriting
from mm2energon.commands.values import count
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.mix import Mixed, MixJob, Taken, mix
from mm2energon.pipeline.mix_shares import check_total, named_input


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("output", type=Path, metavar="OUT", help="the mix, as ShareGPT; lines for a .jsonl")
    parser.add_argument(
        "inputs", nargs="+", metavar="IN[:SHARE]", help="annotation file, and how much of it is taken (all)"
    )
    shares = parser.add_mutually_exclusive_group()
    shares.add_argument("--counts", action="store_true", help="shares are numbers of entries (this is the default)")
    shares.add_argument(
        "--percent", action="store_true", help="shares are percent of what can be written of a file, as IN:20%% is"
    )
    parser.add_argument("--total", type=count, metavar="N", help="entries of the mix, of which shares are percent then")
    parser.add_argument("--seed", type=int, default=42, help="chooses and shuffles (42)")
    parser.add_argument(
        "--group-by", choices=["media", "id", "none"], default="media", help="what keeps entries together (media)"
    )
    parser.add_argument("--shuffle", action="store_true", help="shuffle the mix; else all stay in order, file by file")
    parser.add_argument("--source-key", metavar="KEY", help="let each entry say under this key which file it is of")
    add_overwriting(parser)


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Write the mix."""
    percent = arguments.percent or (arguments.total is not None and not arguments.counts)
    job = MixJob(
        output=arguments.output.absolute(),
        inputs=[named_input(text, percent=percent) for text in arguments.inputs],
        total=arguments.total,
        seed=arguments.seed,
        shuffle=arguments.shuffle,
        group_by=arguments.group_by,
        source_key=arguments.source_key,
        overwrite=arguments.overwrite,
    )
    check_total(job.inputs, job.total)
    done = mix(job, progress=progress)
    result = accounted(_lines(job, done), done.account, allowed=arguments.allow_set_aside)
    left_out = sum(done.account["left_out"].values())
    return Result([*result.lines, f"left out   {left_out:>8}   (not asked for)"], result.status)


def _lines(job: MixJob, done: Mixed) -> list[str]:
    lines = [f"{job.output}", *map(_line, done.inputs)]
    if len({one.path.parent for one in job.inputs}) > 1:
        lines.append("note: the files lie in several folders; media paths stay as they are, and must have one root")
    percents = [one.share or 0 for one in job.inputs if one.is_percent]
    if job.total is None and len(percents) > 1 and abs(sum(percents) - 100) < 1:
        lines.append("note: the shares are percent of each file; with --total N they are of the mix")
    if done.already_done:
        lines.append("  was complete already, nothing was written")
    return lines


def _line(one: Taken) -> str:
    missed = f"; {one.asked} were asked for, but groups stay together (--group-by)" if one.taken != one.asked else ""
    return f"  {one.taken} of {one.usable} from {one.name}{missed}"
