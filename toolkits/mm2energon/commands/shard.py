"""`mm2energon shard` = convert_custom_dataset_to_wds_chatml.py."""

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
    add_counting,
    add_frames,
    add_further_roots,
    counting,
    extraction,
    extraction_asked,
    further_roots,
    partial_videos,
)
from mm2energon.commands.places import add_cache, brought, mirrored
from mm2energon.commands.profile import Profile, add_profile
from mm2energon.commands.values import count, plain, size
from mm2energon.errors import InputError
from mm2energon.pipeline.annotations import Files, files_of
from mm2energon.pipeline.arrange import Arrangement
from mm2energon.pipeline.array import was_planned
from mm2energon.pipeline.budget import Counting
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.mending import Mending
from mm2energon.pipeline.run import write_shard
from mm2energon.pipeline.shard import shard
from mm2energon.pipeline.shard_job import ShardJob, ShardReport, Stores
from mm2energon.remote import Remote, place
from mm2energon.targets import TARGETS
from mm2energon.tokens import MODELS

#: 2 fps, which every reader takes for granted where it asks no further.
_INTERVAL_SECONDS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_common(parser)
    add_further_roots(parser)
    add_executor(parser)
    add_cache(parser)
    add_profile(parser)
    parser.add_argument(
        "--json",
        type=place,
        action="append",
        help="annotation file below the root or by its URL, a folder of them, or a pattern; may be given often "
        "(dataset.json)",
    )
    parser.add_argument("--output", type=place, help="folder or URL of the shards (wds below the root)")
    parser.add_argument("--target", choices=list(TARGETS), default="pai-v1", help="who reads the shards (pai-v1)")
    _add_arrangement(parser)
    _add_mending(parser)
    _add_tokens(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--extract", action="store_true", help="put new frames straight into the shards, without a file for each"
    )
    how.add_argument("--no-extract", action="store_true", help="set videos without frames aside, extract nothing")
    parser.add_argument(
        "--second-per-grid-ts",
        choices=["model", "pai"],
        default="model",
        help="model: 2 / fps, as Qwen2.5-VL means it; pai: 1 / fps, as Pai's converter writes it (model)",
    )
    parser.add_argument("--default-fps", type=float, help="rate of frames that came without an fps json")
    parser.add_argument(
        "--check-media", choices=["header", "full"], default="header", help="full: decode every image once before"
    )
    parser.add_argument(
        "--retry", type=place, metavar="FILE", help="read the entries of a set_aside.jsonl, for an output of their own"
    )
    parser.add_argument("--restart", action="store_true", help="remove what an earlier run wrote to the output first")
    add_frames(parser, interval_seconds=_INTERVAL_SECONDS)


def _add_arrangement(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("splits and shards")
    group.add_argument("--train-split", type=float, default=9.0, help="share of train (9)")
    group.add_argument("--val-split", type=float, default=1.0, help="share of val (1)")
    group.add_argument("--test-split", type=float, default=0.0, help="share of test (0)")
    group.add_argument("--max-samples-per-tar", type=count, default=10_000, help="samples in a shard (10000)")
    group.add_argument("--max-shard-size", type=size, help="bytes in a shard, such as 500M (no limit)")
    group.add_argument("--seed", type=int, default=42, help="changes which samples go where (42)")
    group.add_argument(
        "--group-by", choices=["media", "id", "none"], default="media", help="what keeps samples in one split (media)"
    )
    group.add_argument("--shuffle", action="store_true", help="write samples in an order drawn by the seed")


def _add_mending(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what may be done to samples that the target's reader would drop in silence")
    group.add_argument(
        "--system-turn",
        choices=["keep", "fold", "drop"],
        default="keep",
        help="keep it; fold: put its text before the first question; drop: leave it out (keep)",
    )
    group.add_argument(
        "--prepend-missing-tags", action="store_true", help="put tags that the text lacks before the first question"
    )
    group.add_argument("--double-single-frames", action="store_true", help="store a video of one frame as two")
    group.add_argument(
        "--enlarge-small-images", action="store_true", help="bring pictures below the reader's least size up to it"
    )
    group.add_argument("--max-images", type=count, help="set samples with more images aside")
    group.add_argument("--max-frames", type=count, help="of videos with more frames take as many, evenly spread")
    group.add_argument(
        "--odd-frames",
        choices=["keep", "cut", "repeat"],
        help="an odd last frame: keep it, cut it off, or repeat it (as the target's reader does)",
    )


def _add_tokens(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("tokens")
    group.add_argument("--model", choices=list(MODELS), help="note in each sample's json what it costs this model")
    group.add_argument("--max-tokens", type=count, help="set samples aside that cost it more")
    add_counting(group)


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Plan, run, finalize."""
    with contextlib.ExitStack() as stack:
        return _run(arguments, progress, stack)


def _run(arguments: argparse.Namespace, progress: ProgressMaker, stack: contextlib.ExitStack) -> Result:
    profile = Profile(arguments)
    given = arguments.dataset_root
    root, root_mirror = mirrored(given, arguments, stack)
    root = root.resolve()
    wds = arguments.output or (root / "wds" if root_mirror is None else given / "wds")
    output, output_mirror = mirrored(wds, arguments, stack)
    output = plain(output)
    retry = arguments.retry and brought(arguments.retry, arguments, stack, mirrors=[output_mirror, root_mirror])
    wanted = extraction(arguments, interval_seconds=_INTERVAL_SECONDS, max_frames=None)
    if isinstance(arguments.retry, Remote) and wanted.executor is not None:  # it is known again by its path and time
        raise InputError(f"--retry {arguments.retry}: a file of this machine was expected beside --executor; copy it")
    files = files_of(given if root_mirror else root, arguments.json or [Path("dataset.json")])
    job = ShardJob(
        root=root,
        annotations=files.paths,
        output=output,
        target=TARGETS[arguments.target],
        arrangement=_arrangement(arguments),
        mending=_mending(arguments),
        workers=arguments.workers,
        extraction=None if arguments.no_extract else wanted,
        packs_frames=arguments.extract,
        seconds_per_grid=arguments.second_per_grid_ts,
        default_fps=arguments.default_fps,
        decode_images=arguments.check_media == "full",
        restart=arguments.restart,
        retry=retry,
        further=further_roots(arguments),
        counting=_counting(arguments),
        max_tokens=arguments.max_tokens,
        executor=wanted.executor,
        planner=wanted.executor if arguments.executor == "ray" else None,
        stores=Stores(root_mirror, output_mirror),
        keeps_plan=was_planned(wanted.executor, write_shard),
    )
    report = shard(job, progress=progress)
    lines = [*_lines(report, job, profile.wall_seconds), *_passed_over(files), *_notes(report, job, arguments)]
    result = accounted(lines, report.account, allowed=arguments.allow_set_aside)
    return Result([*result.lines, *profile.lines(report.watch), "", *_next(job)], result.status)


def _counting(arguments: argparse.Namespace) -> Counting | None:
    """How tokens are counted.

    Raises:
        InputError: an option says so, but nothing says for which model.
    """
    for option in ("max_tokens", "tokenizer", "image_pixels", "frame_pixels", "whole_images"):
        if arguments.model is None and getattr(arguments, option):
            raise InputError(f"--{option.replace('_', '-')}: --model was expected beside it, which says whose tokens")
    return counting(arguments)


def _arrangement(arguments: argparse.Namespace) -> Arrangement:
    return Arrangement(
        ratios={"train": arguments.train_split, "val": arguments.val_split, "test": arguments.test_split},
        max_samples=arguments.max_samples_per_tar,
        max_bytes=arguments.max_shard_size,
        seed=arguments.seed,
        group_by=arguments.group_by,
        shuffle=arguments.shuffle,
    )


def _mending(arguments: argparse.Namespace) -> Mending:
    return Mending(
        system_turn=arguments.system_turn,
        prepend_missing_tags=arguments.prepend_missing_tags,
        double_single_frames=arguments.double_single_frames,
        enlarge_small_images=arguments.enlarge_small_images,
        max_images=arguments.max_images,
        max_frames=arguments.max_frames,
        odd_frames=arguments.odd_frames,
    )


def _lines(report: ShardReport, job: ShardJob, seconds: float) -> list[str]:
    done = "was complete already, nothing was written"
    if not report.already_done:
        megabytes = report.shard_bytes / 1e6
        done = f"{report.shards} shards, {megabytes:.1f} MB; {seconds:.1f} s, {megabytes / seconds:.0f} MB/s"
    lines = [f"{job.output}   for {job.target.name}: {job.target.reader}", f"  {done}"]
    if job.counting is not None:
        how = "is estimated: give --tokenizer to count it" if job.counting.tokenizer is None else "is counted"
        lines.append(f"  each json says what the sample costs {job.counting.model}; text {how}")
    if report.videos_extracted:
        lines.append(f"  {report.videos_extracted} videos had no frames and were extracted on the way")
    lines += partial_videos(report.videos_partial)
    for other, lost in report.also_read_by.items():
        what = "takes every sample" if not lost else f"would drop or cut {lost} samples"
        lines.append(f"  dataset.{other}.yaml: {other} reads the same shards, and {what}")
    return lines


def _passed_over(files: Files) -> list[str]:
    names = [path.name for path in files.passed_over]
    return [f"  {len(names)} other json files hold no annotations: {', '.join(names[:3])}"] if names else []


def _notes(report: ShardReport, job: ShardJob, arguments: argparse.Namespace) -> list[str]:
    """What the user may have meant otherwise."""
    lines = []
    if report.videos_ready and extraction_asked(arguments):
        lines.append(
            "  note: videos that had frames already were taken as they are; mm2energon frames extracts them anew"
        )
    if report.other_rates and job.target.takes_2_fps:
        lines.append(
            f"  note: {report.other_rates} samples hold videos at another rate than 2 fps; {job.target.name} takes "
            "2 fps for all: extract with mm2energon frames --time-interval 0.5"
        )
    for split, share in job.arrangement.ratios.items():
        if share and not report.account["written"].get(split):
            lines.append(
                f"  note: {split} has no samples: there are too few groups (--group-by {job.arrangement.group_by})"
            )
    return lines


def _next(job: ShardJob) -> list[str]:
    stored = job.stores.output
    url = str(job.output) if stored is None else stored.of.url
    to_train = url if stored is None else stored.remote.energon_url or url
    steps = job.target.next_steps.replace("{path}", to_train).splitlines()
    return [f"Check it: mm2energon verify {shlex.quote(url)}", *steps]
