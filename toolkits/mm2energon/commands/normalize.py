"""`mm2energon normalize` = replace_llava_image_key.py."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.options import accounted, add_overwriting, add_retry
from mm2energon.commands.places import add_cache, brought, made_at
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.normalize import normalize
from mm2energon.pipeline.sources import only_annotation_file
from mm2energon.pipeline.stored_file import stored_files
from mm2energon.remote import place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--input-file", type=place, help="JSON array or JSON lines (the only one in this folder)")
    add_retry(parser)
    parser.add_argument("--output-file", type=place, default=Path("dataset.json"), help="lines when it ends in .jsonl")
    add_overwriting(parser)
    add_cache(parser)


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Write the input as ShareGPT."""
    with contextlib.ExitStack() as stack:
        return _run(arguments, progress, stack)


def _run(arguments: argparse.Namespace, progress: ProgressMaker, stack: contextlib.ExitStack) -> Result:
    output, mirror = made_at(arguments.output_file, arguments, stack)
    retry = arguments.retry is not None
    given = arguments.retry or arguments.input_file or only_annotation_file(Path.cwd())
    source = brought(given, arguments, stack, mirrors=[mirror])
    with stored_files(mirror, [output]):
        done = normalize(source, output, overwrite=arguments.overwrite, retry=retry, progress=progress)
    lines = [f"{output}", f"  from {source}"]
    if done.already_done:
        lines.append("  was complete already, nothing was written")
    return accounted(lines, done.account, allowed=arguments.allow_set_aside)
