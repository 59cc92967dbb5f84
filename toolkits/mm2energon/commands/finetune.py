"""`mm2energon finetune` = finetune_lora.py."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mm2energon.commands import Result
from mm2energon.commands.options import accounted, add_further_roots, further_roots
from mm2energon.commands.values import count, count_or_none, plain, positive, seconds, share
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.machine import usual_workers
from mm2energon.tuning.encoding import FAULTS
from mm2energon.tuning.job import TuneJob, settings_of
from mm2energon.tuning.options import OPTIONS, Kind, Option
from mm2energon.tuning.status import FINAL, METRICS
from mm2energon.tuning.tune import Tuned, tune
from mm2energon.videochat.backends.places import USUAL_MODEL

#: What reads the values of a kind.
_READERS: dict[Kind, Callable[[str], Any]] = {
    "text": str,
    "count": count,
    "count0": count_or_none,
    "positive": positive,
    "number": seconds,
    "share": share,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "--data",
        type=Path,
        action="append",
        metavar="PATH",
        help="annotation file of any format, folder of such, or finished shards; may be given several times (data)",
    )
    parser.add_argument(
        "--model", default=USUAL_MODEL, help=f"folder of the base model, or its name on the hub ({USUAL_MODEL})"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("lora_adapters"), help="folder of checkpoints and adapter (lora_adapters)"
    )
    groups: dict[str, Any] = {}
    for option in OPTIONS:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        _add(groups[option.group], option)
    add_further_roots(groups["data"])
    parser.add_argument("--workers", type=count, default=usual_workers(), help="processes that decode videos (cores)")
    parser.add_argument("--restart", action="store_true", help="replace what another run left in the output")
    parser.add_argument(
        "--allow-set-aside", action="store_true", help="exit 0, not 3, when samples were set aside with their reasons"
    )


def _add(group: Any, option: Option) -> None:
    if option.kind == "flag":
        group.add_argument(option.flag, action="store_true", help=option.help)
    elif option.kind == "choice":
        group.add_argument(option.flag, choices=option.choices, help=f"{option.help} ({option.default})")
    else:
        told = f" ({option.default})" if option.default is not None else ""
        group.add_argument(
            option.flag,
            type=_READERS[option.kind],
            help=f"{option.help}{told}",
            metavar="N" if option.kind != "text" else None,
        )


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Train, or go on."""
    values = {option.name: getattr(arguments, option.name) for option in OPTIONS}
    job = TuneJob(
        data=tuple(arguments.data or [Path("data")]),
        model=arguments.model,
        output=plain(arguments.output),
        settings=settings_of(values),
        workers=arguments.workers,
        further=further_roots(arguments),
        restart=arguments.restart,
    )
    _quieten()
    done = tune(job, progress=progress, tell=partial(_say, sys.stderr))
    return _result(job, done, allowed=arguments.allow_set_aside)


def _say(stream: Any, line: str) -> None:
    stream.write(f"{line}\n")


def _quieten() -> None:
    """Let the libraries below say no more than what goes wrong: what they will change one day is not the user's."""
    for name in ("accelerate", "peft", "megatron.energon"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def _result(job: TuneJob, done: Tuned, *, allowed: bool) -> Result:
    if not done.device.leads:
        return Result([], 128 + done.stopped_by if done.stopped_by else 0)
    result = accounted(_lines(job, done), done.counts.account, allowed=allowed)
    if done.stopped_by:
        return Result(result.lines, 128 + done.stopped_by)
    return Result([*result.lines, "", *_next(job)], 3 if done.faults and not allowed else result.status)


def _lines(job: TuneJob, done: Tuned) -> list[str]:
    lines = [f"{job.output}"]
    if done.already_done:
        return [*lines, "  was complete already, nothing was trained; --restart begins anew"]
    if done.stopped_by:
        lines.append(
            f"  stopped at step {done.step} of {done.total}; checkpoint-{done.step} is whole: run the same command "
            "again to go on"
        )
    else:
        lines.append(f"  {FINAL}: the adapter, after {done.step} steps")
    if done.resumed_from:
        lines.append(f"  went on from checkpoint-{done.resumed_from}")
    if done.counts.extracted:
        lines.append(f"  {done.counts.extracted} videos had no frames and were decoded")
    if done.losses:
        lines.append(f"  loss {done.losses[0]:.4g} at first, {done.losses[-1]:.4g} at last; see {METRICS}")
    if done.eval_loss is not None:
        lines.append(f"  validation loss {done.eval_loss:.4g} ({done.counts.val} samples)")
    elif not done.counts.val:
        lines.append("  note: there is no validation: too few groups of samples, --val-share 0, or no split val")
    if done.faults:
        lines.append(f"  {done.faults} samples could not be read when their turn came; see {FAULTS}")
    return lines


def _next(job: TuneJob) -> list[str]:
    first = job.data[0]
    data = shlex.quote(str(first)) if first.is_file() or job.shards is not None else "ANNOTATIONS"
    return [f"Try it: mm2energon studio {data} --adapters {shlex.quote(str(job.output))}"]
