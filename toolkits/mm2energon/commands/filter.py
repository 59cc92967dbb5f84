"""`mm2energon filter` = filter_annotations.py."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import replace
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.options import (
    accounted,
    add_counting,
    add_further_roots,
    add_overwriting,
    add_retry,
    counting,
    further_roots,
)
from mm2energon.commands.places import add_cache, brought, made_at, mirrored
from mm2energon.commands.values import count
from mm2energon.errors import InputError
from mm2energon.pipeline.budget import Counting
from mm2energon.pipeline.filter import Filtered, FilterJob, filter_entries, root_of
from mm2energon.pipeline.filter_pictures import pictures_of
from mm2energon.pipeline.filter_rules import PRESETS, Bounds
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.stored_file import stored_files
from mm2energon.remote import Place, Remote, place
from mm2energon.tokens import MODELS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("input", type=place, nargs="?", metavar="IN", help="annotation file: JSON array or JSON lines")
    parser.add_argument("output", type=place, metavar="OUT", help="what is kept, as ShareGPT; lines for a .jsonl")
    parser.add_argument(
        "--dataset-root", type=place, help="folder or URL that media paths are relative to (that of IN)"
    )
    add_further_roots(parser)
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--model", choices=list(MODELS), help="count tokens as this model does")
    how.add_argument("--preset", choices=list(PRESETS), help="the rules and limits of T2Vid's filters, to the letter")
    group = parser.add_argument_group("limits (with --preset: in the place of its own)")
    group.add_argument("--max-tokens", type=count, help="tokens of a sample, with its text and the chat template")
    group.add_argument("--max-frames", type=count, help="frames of a video")
    group.add_argument("--max-question-words", type=count, metavar="N", help="words of the first question")
    group.add_argument("--fit", action="store_true", help="take fewer frames, or smaller images, where that lets it in")
    add_counting(parser)
    parser.add_argument("--default-fps", type=float, help="rate of frames that came without an fps json (2)")
    add_retry(parser)
    add_overwriting(parser)
    add_cache(parser)


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Write what is within the limits."""
    given = arguments.retry or arguments.input
    if given is None or (arguments.retry and arguments.input):
        raise InputError("filter: one of IN and --retry FILE was expected before OUT")
    with contextlib.ExitStack() as stack:
        return _run(arguments, given, progress, stack)


def _run(arguments: argparse.Namespace, given: Place, progress: ProgressMaker, stack: contextlib.ExitStack) -> Result:
    retry = arguments.retry is not None
    root = arguments.dataset_root or (given.parent if isinstance(given, Remote) and not retry else None)
    root, root_mirror = (None, None) if root is None else mirrored(root, arguments, stack)
    output, mirror = made_at(arguments.output, arguments, stack, root=root_mirror)
    source = brought(given, arguments, stack, mirrors=[mirror, root_mirror])
    with stored_files(mirror, [output], folders=[pictures_of(output)]):
        return _filter(arguments, source, output, root, root_mirror, progress)


def _filter(
    arguments: argparse.Namespace,
    source: Path,
    output: Path,
    root: Path | None,
    root_mirror: Mirror | None,
    progress: ProgressMaker,
) -> Result:
    retry = arguments.retry is not None
    job = FilterJob(
        source=source,
        output=output,
        root=(root or root_of(source, output, retry=retry)).resolve(),
        by=counting(arguments) or arguments.preset,
        bounds=_bounds(arguments),
        fit=arguments.fit,
        tokenizer=arguments.tokenizer,
        overwrite=arguments.overwrite,
        retry=retry,
        default_fps=arguments.default_fps,
        further=further_roots(arguments),
        root_mirror=root_mirror,
    )
    done = filter_entries(job, progress=progress)
    return accounted(_lines(job, done), done.account, allowed=arguments.allow_set_aside)


def _bounds(arguments: argparse.Namespace) -> Bounds:
    """The limits that were given, or those of the preset.

    Raises:
        InputError: there are none, or an option means nothing to the preset.
    """
    given = Bounds(arguments.max_tokens, arguments.max_frames, arguments.max_question_words)
    values = {name: value for name, value in given.as_json().items() if value is not None}
    if arguments.preset is None:
        if not values:
            raise InputError(f"--model {arguments.model}: a limit was expected beside it, such as --max-tokens 8192")
        return given
    for option in ("fit", "image_pixels", "frame_pixels", "whole_images"):
        if getattr(arguments, option):
            option = option.replace("_", "-")
            raise InputError(
                f"--{option}: --preset {arguments.preset} takes samples as they are; --model was expected in its place"
            )
    return replace(PRESETS[arguments.preset].bounds, **values)


def _lines(job: FilterJob, done: Filtered) -> list[str]:
    how = "estimated: give --tokenizer to count it" if done.estimated else "counted"
    name = job.by.model if isinstance(job.by, Counting) else job.by
    lines = [f"{job.output}", f"  from {job.source}, by {name}; text is {how}"]
    if done.already_done:
        lines.append("  was complete already, nothing was written")
    written = done.account["written"].get("entries", 0)
    about = "about " if done.estimated else ""
    if written:
        mean = round(done.tokens / written)
        lines.append(f"  {about}{mean} tokens a sample, {about}{done.most_tokens} at most")
    if done.fewer_frames:
        lines.append(
            f"  of {done.fewer_frames} samples fewer frames were taken, which now are lists; shard takes such as"
        )
        lines.append("  2 frames a second, unless --default-fps says otherwise")
    if done.fewer_pixels:
        lines.append(f"  of {done.fewer_pixels} samples images were made smaller: {job.output.stem}.pictures")
    return lines
