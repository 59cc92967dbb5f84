"""`mm2energon frames` = build_llava_frame_dataset.py."""

from __future__ import annotations

import argparse
import contextlib
import shlex
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.cluster import add_executor
from mm2energon.commands.options import (
    accounted,
    add_common,
    add_frames,
    add_further_roots,
    add_retry,
    extraction,
    further_roots,
    partial_videos,
)
from mm2energon.commands.places import add_cache, brought, mirrored
from mm2energon.commands.profile import Profile, add_profile
from mm2energon.commands.values import count
from mm2energon.pipeline.frames import build_frame_dataset
from mm2energon.pipeline.frames_job import FramesJob, FramesReport
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.sources import NO_ANNOTATIONS
from mm2energon.pipeline.stored_root import StoredRoot

#: The default of the script that this one takes the place of.
_INTERVAL_SECONDS = 1.0
#: Files that are passed over with a reason of their own, as many as are shown.
_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_common(parser)
    add_further_roots(parser)
    add_executor(parser)
    add_cache(parser)
    add_profile(parser)
    parser.add_argument("--output-json", type=Path, default=Path("dataset.json"), help="merged dataset, below the root")
    parser.add_argument(
        "--video-token", default="<image>", help="what stands for the video in the text of video samples (<image>)"
    )
    parser.add_argument("--skip-extraction", action="store_true", help="do not unpack archives of videos")
    parser.add_argument("--no-frames", action="store_true", help="only merge the annotations, extract no frames")
    add_retry(parser)
    add_frames(parser, interval_seconds=_INTERVAL_SECONDS)
    parser.add_argument("--max-frames", type=count, help="more than this: as many, evenly spread")


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Merge and extract."""
    with contextlib.ExitStack() as stack:
        return _run(arguments, progress, stack)


def _run(arguments: argparse.Namespace, progress: ProgressMaker, stack: contextlib.ExitStack) -> Result:
    profile = Profile(arguments)
    root, mirror = mirrored(arguments.dataset_root, arguments, stack)
    root = root.resolve()
    output = _below(root, arguments.output_json)
    wanted = extraction(arguments, interval_seconds=_INTERVAL_SECONDS, max_frames=arguments.max_frames)
    job = FramesJob(
        root=root,
        output=output,
        video_token=arguments.video_token,
        extraction=None if arguments.no_frames else wanted,
        unpack=not arguments.skip_extraction,
        retry=None if arguments.retry is None else brought(arguments.retry, arguments, stack),
        further=further_roots(arguments),
        stored=None if mirror is None else StoredRoot(mirror, output),
    )
    report = build_frame_dataset(job, progress=progress)
    lines = _lines(report, job, profile.wall_seconds)
    result = accounted(lines, report.account, allowed=arguments.allow_set_aside)
    status = 3 if report.unread else result.status  # what they hold nobody has looked at, and so nobody allowed
    return Result([*result.lines, *profile.lines(report.watch), "", f"Next: {_next(arguments)}"], status)


def _below(root: Path, name: Path) -> Path:
    """Where the output lies, whatever links and dots lead there; the root itself where the name is empty."""
    path = root / name
    return path.parent.resolve() / path.name


def _next(arguments: argparse.Namespace) -> str:
    """The command that makes shards of the dataset."""
    words = ["mm2energon", "shard"]
    if arguments.dataset_root != Path():
        words += ["--dataset-root", str(arguments.dataset_root)]
    if arguments.output_json != Path("dataset.json"):
        words += ["--json", str(arguments.output_json)]
    for further in arguments.allow_absolute_media:
        words += ["--allow-absolute-media", str(further)]
    return shlex.join([*words, "--train-split", "9", "--val-split", "1"])


def _lines(report: FramesReport, job: FramesJob, seconds: float) -> list[str]:
    lines = [f"{job.output}"]
    if report.already_done:
        lines.append("  was complete already, nothing was written")
    if report.moved:
        lines.append(f"  the {job.output.name} that stood there is an input: kept as {report.moved}")
    names = report.annotations if job.retry is None else [str(job.retry)]
    lines.append(f"  from {', '.join(names[:5])}" + (" ..." if len(names) > 5 else ""))
    lines += _ignored(report)
    for archive in report.archives:
        what = "unpacked before" if archive.already_done else f"{archive.files} files unpacked"
        lines.append(f"  {archive.name}: {what}" + (f", {archive.refused_count} refused" if archive.refused else ""))
        lines += [f"    refused {member}" for member in archive.refused]
        if archive.refused_count > len(archive.refused):
            lines.append(f"    ... {archive.refused_count} in all")
    if job.extraction is not None:
        rate = f"{report.frames / seconds:.0f} frames/s"
        about = f"{report.frames} frames, {report.videos_failed} videos failed; {seconds:.1f} s, {rate}"
        lines.append(f"videos     {report.videos:>8}   ({about})")
        lines += partial_videos(report.videos_partial)
    return lines


def _ignored(report: FramesReport) -> list[str]:
    plain = [name for name, why in report.ignored.items() if why == NO_ANNOTATIONS]
    odd = [f"  passed over {name}: {why}" for name, why in report.ignored.items() if why != NO_ANNOTATIONS]
    lines = [f"  {len(plain)} other json files hold no annotations: {', '.join(plain[:3])}"] if plain else []
    return lines + odd[:_SHOWN] + ([f"  ... {len(odd)} passed over in all"] if len(odd) > _SHOWN else [])
