"""`mm2energon convert` = convert_annotations.py."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.cluster import add_executor, executor
from mm2energon.commands.options import (
    accounted,
    add_further_roots,
    add_overwriting,
    add_retry,
    further_roots,
)
from mm2energon.commands.places import add_cache, brought, made_at, mirrored, stored_shards
from mm2energon.commands.values import count
from mm2energon.errors import InputError
from mm2energon.formats import FORMATS
from mm2energon.formats.legacy_parts import FILE_SUFFIXES, file_name
from mm2energon.pipeline.convert import Converted, ConvertJob, convert
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.machine import usual_workers
from mm2energon.pipeline.mirror import Mirror
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.pipeline.stored_file import stored_files
from mm2energon.pipeline.stored_shards import StoredDataset
from mm2energon.remote import Place, Remote, is_there, place
from mm2energon.shards.metadata import FOLDER

#: Formats that are written to files of fixed names, where OUT is a folder.
_FILE_NAMES = {name: file_name(name) for name in FILE_SUFFIXES}
_ALL_LEGACY = "all-legacy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    _add_formats(parser)
    _add_media(parser)
    add_retry(parser)
    add_overwriting(parser)
    parser.add_argument(
        "--workers", type=count, default=usual_workers(), help="processes, for JSON lines (the cores that may be used)"
    )
    add_executor(parser)
    add_cache(parser)


def _add_formats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        type=place,
        nargs="?",
        metavar="IN",
        help="JSON array or lines, Parquet, a saved dataset, or shards",
    )
    parser.add_argument("output", type=place, metavar="OUT", help="lines when it ends in .jsonl; of legacy-*, a folder")
    names = [*FORMATS, _ALL_LEGACY]
    parser.add_argument(
        "--from", dest="read_as", choices=names[:-1], metavar="F", help="what IN holds (told entry by entry)"
    )
    parser.add_argument(
        "--to",
        dest="write_as",
        choices=names,
        metavar="F",
        required=True,
        help=f"what OUT shall hold: {', '.join(names)}",
    )


def _add_media(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dataset-root", type=place, default=Path(), help="folder or URL that media paths are relative to (.)"
    )
    add_further_roots(parser)
    parser.add_argument("--frames", type=count, metavar="N", help="videos become at most N of their frames, as images")
    parser.add_argument(
        "--frame-rule",
        choices=["uniform", "middle"],
        default="uniform",
        help="which: from the first to the last, or the middle of N stretches, as T2Vid takes them (uniform)",
    )
    parser.add_argument("--join-frames", action="store_true", help="images that are frames of a video become the video")
    parser.add_argument("--check-media", action="store_true", help="set aside entries of which a medium is not there")
    parser.add_argument(
        "--media-dir", type=Path, default=Path("media"), help="where media go that stand in entries, below the root"
    )


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Convert."""
    source = arguments.retry or arguments.source
    if source is None or (arguments.retry and arguments.source):
        raise InputError("convert: one of IN and --retry FILE was expected before OUT")
    with contextlib.ExitStack() as stack:
        return _run(arguments, source, progress, stack)


def _run(arguments: argparse.Namespace, given: Place, progress: ProgressMaker, stack: contextlib.ExitStack) -> Result:
    root, root_mirror = mirrored(arguments.dataset_root, arguments, stack)
    reshaping = _reshaping(arguments, root.resolve())
    outputs: dict[str, Path] = {}
    mirror: Mirror | None = None
    for name, output in _outputs(arguments.write_as, arguments.output).items():
        outputs[name], mirror = made_at(output, arguments, stack, root=mirror or root_mirror)
    stored = None if arguments.retry else _shards_in_store(given, arguments, stack)
    source = brought(given, arguments, stack, mirrors=[mirror, root_mirror]) if stored is None else stored.root
    job = ConvertJob(
        source=source,
        outputs=outputs,
        read_as=arguments.read_as,
        reshaping=reshaping,
        overwrite=arguments.overwrite,
        retry=arguments.retry is not None,
        workers=arguments.workers,
        executor=executor(arguments),
        stored=stored,
        root_mirror=root_mirror,
    )
    places = (given, arguments.output, arguments.dataset_root)
    if job.executor is not None and any(isinstance(one, Remote) for one in places):
        raise InputError(
            "--executor: IN, OUT and dataset root of convert were expected where all machines see them, not in a store"
        )
    with stored_files(mirror, outputs.values()):
        done = convert(job, progress=progress)
    return accounted(_head(job, done), done.account, allowed=arguments.allow_set_aside)


def _reshaping(arguments: argparse.Namespace, root: Path) -> Reshaping:
    media_folder = root / arguments.media_dir
    if not media_folder.resolve().is_relative_to(root):
        raise InputError(f"--media-dir {arguments.media_dir}: a folder below the dataset root was expected")
    return Reshaping(
        root=root,
        media_folder=media_folder,
        frames=arguments.frames,
        frame_rule=arguments.frame_rule,
        joins_frames=arguments.join_frames,
        checks_media=arguments.check_media,
        further=further_roots(arguments),
    )


def _head(job: ConvertJob, done: Converted) -> list[str]:
    """What the summary says before the numbers."""
    lines = [f"{output}   as {name}" for name, output in job.outputs.items()]
    lines += [f"{path}" for path in done.companions.written]
    lines.append(f"  from {job.source}")
    if done.already_done:
        lines.append("  was complete already, nothing was written")
    if done.companions.to_add:
        lines.append("  a file of yours is in the place of what the trainer reads; add to it:")
        lines += [f"    {line}" for line in json.dumps(done.companions.to_add, indent=2).splitlines()]
    return lines + [f"  {line}" for line in done.companions.advice]


def _shards_in_store(given: Place, arguments: argparse.Namespace, stack: contextlib.ExitStack) -> StoredDataset | None:
    """The shards that IN is, where it lies in a store; None where it is something else."""
    if isinstance(given, Path) or not is_there(given / FOLDER / "split.yaml"):
        return None
    return stored_shards(given, arguments, stack)


def _outputs(write_as: str, output: Place) -> dict[str, Place]:
    is_folder = isinstance(output, Path) and output.is_dir()
    if write_as == _ALL_LEGACY and output.suffix in (".json", ".jsonl") and not is_folder:
        raise InputError(f"OUT {output}: {_ALL_LEGACY} is three files; the name of a folder was expected")
    if write_as == _ALL_LEGACY:
        return {name: output / file_name for name, file_name in _FILE_NAMES.items()}
    is_file = write_as not in _FILE_NAMES or output.suffix in (".json", ".jsonl")
    return {write_as: output if is_file else output / _FILE_NAMES[write_as]}
