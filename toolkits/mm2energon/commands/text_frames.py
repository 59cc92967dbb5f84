"""`mm2energon text-to-frames` = render_text_frames.py."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.options import accounted
from mm2energon.commands.values import count
from mm2energon.images.text_pages import PageStyle
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.machine import usual_workers
from mm2energon.pipeline.text_frames import DATASET, T2VID, TextFrames, TextFramesJob, text_to_frames

_MOST_PIXELS = 16_384


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "input", type=Path, metavar="IN", help="JSON array or lines of long texts: context/question/answer, or Alpaca"
    )
    parser.add_argument("outdir", type=Path, metavar="OUTDIR", help="folder for the pictures and their annotations")
    parser.add_argument(
        "--dataset-root", type=Path, help="folder above OUTDIR that paths are written relative to (OUTDIR)"
    )
    look = parser.add_argument_group("pictures")
    look.add_argument("--size", type=size, default=(448, 448), metavar="WxH", help="of a picture, in pixels (448x448)")
    look.add_argument("--font", type=Path, metavar="FILE", help="TrueType or OpenType (Pillow's own: ASCII, few more)")
    look.add_argument("--font-size", type=count, default=20, metavar="PIXELS", help="of the letters (20)")
    look.add_argument("--max-pages", type=count, metavar="N", help="set texts aside that take more pictures (no limit)")
    parser.add_argument("--overwrite", action="store_true", help="replace what was made from another file")
    parser.add_argument("--workers", type=count, default=usual_workers(), help="processes (the cores that may be used)")
    parser.add_argument(
        "--allow-set-aside", action="store_true", help="exit 0, not 3, when entries were set aside with their reasons"
    )


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Draw the texts."""
    output = arguments.outdir.resolve()
    width, height = arguments.size
    job = TextFramesJob(
        source=arguments.input,
        output=output,
        root=output if arguments.dataset_root is None else arguments.dataset_root.resolve(),
        style=PageStyle(width=width, height=height, font_size=arguments.font_size, font=arguments.font),
        workers=arguments.workers,
        max_pages=arguments.max_pages,
        overwrite=arguments.overwrite,
    )
    done = text_to_frames(job, progress=progress)
    result = accounted(_lines(done, job), done.account, allowed=arguments.allow_set_aside)
    return Result([*result.lines, "", f"Next: {_next(job)}"], result.status)


def size(text: str) -> tuple[int, int]:
    """Width and height: `448x448`."""
    match = re.fullmatch(r"(\d{1,5})[xX](\d{1,5})", text.strip())
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not (1 <= width <= _MOST_PIXELS and 1 <= height <= _MOST_PIXELS):
        raise argparse.ArgumentTypeError(f"{text!r} is no size in pixels; 448x448 was expected")
    return width, height


def _lines(done: TextFrames, job: TextFramesJob) -> list[str]:
    lines = [str(job.output)]
    if done.already_done:
        lines.append("  was complete already, nothing was written")
    lines.append(f"  from {job.source}")
    lines.append(f"  {DATASET} (ShareGPT), {T2VID} (folders of pictures)")
    lines.append(f"pictures   {done.pages:>8}   ({done.drawn} drawn by this run)")
    if done.undrawable:
        scripts = ", ".join(f"{script} in {number}" for script, number in done.undrawable.items())
        lines.append(f"  not drawn: {scripts} entries; a --font that has these draws what runs from left to right")
    return lines


def _next(job: TextFramesJob) -> str:
    words = ["mm2energon", "shard", "--dataset-root", str(job.root)]
    if job.root != job.output:
        words += ["--json", str((job.output / DATASET).relative_to(job.root))]
    return shlex.join(words)
