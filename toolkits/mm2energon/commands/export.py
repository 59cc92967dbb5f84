"""`mm2energon export` = export_templates.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.export_statistics import check_places, statistics
from mm2energon.commands.options import accounted, add_further_roots, further_roots
from mm2energon.commands.values import count, positive, seconds
from mm2energon.errors import InputError
from mm2energon.formats import FORMATS
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.machine import usual_workers
from mm2energon.review.export import export
from mm2energon.review.export_job import ANY, STATUSES, VIDEO_SECONDS, Exported, ExportJob, ShardsWanted, limits_of
from mm2energon.review.export_log import TEXT_NAME, size
from mm2energon.review.review import open_review
from mm2energon.review.templates import ALL, ALL_LEGACY, TEMPLATES
from mm2energon.targets import TARGETS

#: Files that the summary shows.
_SHOWN = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "annotations", type=Path, metavar="ANNOTATIONS", help="CSV, annotation file of any format, or folder of shards"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder of the files and of their log")
    parser.add_argument(
        "--template",
        action="append",
        metavar="T",
        help=f"{ALL}: every template, {ALL_LEGACY}: the three of the first annotation tool, or one of "
        f"{', '.join(TEMPLATES)}; may be given several times ({ALL}; with --shards none)",
    )
    parser.add_argument(
        "--statistics",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="show how many entries there are of which kind, and write that to a .json, or to an .html with plots; "
        "-: only show it; may be given several times",
    )
    parser.add_argument(
        "--status", choices=[*STATUSES, ANY], default="accepted", help="which samples are exported (accepted)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that mm2energon did not write")
    parser.add_argument(
        "--no-update-csv", action="store_true", help="leave a CSV alone: no status in it, no edited text, no backup"
    )
    parser.add_argument("--absolute-paths", action="store_true", help="name media by absolute paths")
    parser.add_argument(
        "--allow-set-aside", action="store_true", help="exit 0, not 3, when samples were skipped with their reasons"
    )
    parser.add_argument(
        "--category-key",
        default="category",
        metavar="KEY",
        help="key of an entry's category, for statistics (category)",
    )
    _add_media(parser)
    _add_splits(parser)


def _add_media(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("media")
    group.add_argument(
        "--dataset-root", type=Path, help="folder that media paths are relative to (that of ANNOTATIONS)"
    )
    add_further_roots(group)
    group.add_argument("--from", dest="read_as", choices=list(FORMATS), metavar="F", help="format of ANNOTATIONS")
    group.add_argument("--no-check-videos", action="store_true", help="do not look for media, nor open them")
    group.add_argument(
        "--video-timeout",
        type=seconds,
        default=VIDEO_SECONDS,
        help=f"seconds that the first frame of a video may take; 0: no limit ({VIDEO_SECONDS:g})",
    )
    group.add_argument(
        "--workers", type=count, default=usual_workers(), help="processes that open media (the cores that may be used)"
    )


def _add_splits(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("splits and shards")
    for split in ("train", "val", "test"):
        group.add_argument(
            f"--{split}-split", type=float, help=f"share of {split}; a file for each split (one file of all samples)"
        )
    group.add_argument("--seed", type=int, default=42, help="changes which samples go where (42)")
    group.add_argument(
        "--shards",
        type=Path,
        metavar="DIR",
        help="write Energon shards, too, and read them back (without shares, train and val are 9 to 1)",
    )
    group.add_argument("--target", choices=list(TARGETS), default="pai-v1", help="who reads the shards (pai-v1)")
    group.add_argument(
        "--time-interval", type=positive, default=0.5, help="of the shards: seconds between frames (0.5)"
    )
    group.add_argument("--restart", action="store_true", help="remove what an earlier run wrote to --shards first")


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Export, or tell statistics."""
    check_places(arguments.statistics, source=arguments.annotations, overwrite=arguments.overwrite)
    job = None if arguments.statistics and arguments.output is None else job_of(arguments)
    with open_review(
        arguments.annotations,
        root=arguments.dataset_root,
        read_as=arguments.read_as,
        category_key=arguments.category_key,
    ) as review:
        lines = statistics(review, arguments.statistics) if arguments.statistics else []
        if job is None:
            return Result(lines)
        result = _result(arguments, job, export(review, job, progress=progress))
    return Result([*lines, *([""] if lines else []), *result.lines], result.status)


def _result(arguments: argparse.Namespace, job: ExportJob, exported: Exported) -> Result:
    result = accounted(_lines(job, exported), exported.account, allowed=arguments.allow_set_aside)
    is_whole = arguments.allow_set_aside or not any(one.template for one in exported.skipped)
    shards = 0 if exported.shards_status == 3 and arguments.allow_set_aside else exported.shards_status
    if shards == 1:
        return Result(result.lines, 1)
    return Result(result.lines, max(result.status, shards, 0 if is_whole else 3))


def job_of(arguments: argparse.Namespace) -> ExportJob:
    """What `add_arguments` parsed.

    Raises:
        InputError: options contradict each other, or one is missing.
    """
    if arguments.output is None:
        raise InputError("--output DIR: the folder of the files was expected, such as --output training_data")
    shares = {name: getattr(arguments, f"{name}_split") for name in ("train", "val", "test")}
    is_split = any(share is not None for share in shares.values())
    shards = None
    if arguments.shards is not None:
        shards = ShardsWanted(
            arguments.shards.resolve(), arguments.target, arguments.time_interval, restart=arguments.restart
        )
    named = [name.strip() for given in arguments.template or [] for name in given.split(",") if name.strip()]
    templates = tuple(named or ([] if shards else [ALL]))
    return ExportJob(
        output=arguments.output.resolve(),
        templates=templates,
        status=arguments.status,
        shares={name: share or 0.0 for name, share in shares.items()} if is_split else None,
        seed=arguments.seed,
        checks_videos=not arguments.no_check_videos,
        updates_csv=not arguments.no_update_csv,
        absolute_paths=arguments.absolute_paths,
        overwrite=arguments.overwrite,
        further=further_roots(arguments),
        workers=arguments.workers,
        limits=limits_of(arguments.workers, seconds=arguments.video_timeout),
        shards=shards,
    )


def _lines(job: ExportJob, exported: Exported) -> list[str]:
    lines = [f"{job.output}   {len(exported.files)} files, {exported.records} records of {exported.samples} samples"]
    width = max((len(file.path.name) for file in exported.files), default=0)
    lines += [
        f"  {file.path.name:<{width}} {file.records:>8} records  {size(file.size_bytes):>10}"
        for file in exported.files[:_SHOWN]
    ]
    if len(exported.files) > _SHOWN:
        lines.append(f"  ... {len(exported.files)} in all")
    lines += [f"  {path.name}" for path in exported.companions]
    for template, reasons in exported.not_held.items():
        lines.append(f"  not in {template}: {', '.join(f'{code} {number}' for code, number in reasons.items())}")
    lines += [f"  {line}" for line in exported.advice]
    if (update := exported.csv) is not None:
        rows = f"{update.rows} row{'s' * (update.rows > 1)} updated; as it was" if update.rows else "up to date; a copy"
        lines.append(f"{update.path.name}   {rows}: {update.backup.name}")
    lines += [*exported.shards, f"how it went: {job.output / TEXT_NAME}"]
    if exported.left_out:
        left = ", ".join(f"{status} {number}" for status, number in sorted(exported.left_out.items()))
        lines.append(f"not asked for: {left}")
    return lines
