"""Options that several commands share, and the values that they are parsed to."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mm2energon.commands import Result
from mm2energon.commands.cluster import executor
from mm2energon.commands.profile import memory_line
from mm2energon.commands.values import count, count_or_none, memory, seconds
from mm2energon.errors import InputError
from mm2energon.pipeline.budget import Counting
from mm2energon.pipeline.extract import Extraction
from mm2energon.pipeline.loop import Limits
from mm2energon.pipeline.machine import usable_memory_bytes, usual_workers
from mm2energon.remote import place
from mm2energon.video.decoders import DECODERS
from mm2energon.video.encode import Allowance, FrameOptions
from mm2energon.video.sampling import Sampling

_QUALITY = 95
_DECODER = "pyav"
_FRAME_LIMIT = 100_000
_LEAST_MEMORY_BYTES = 4 << 30
#: Lines of one kind that a summary shows.
_SHOWN = 20


def add_common(parser: argparse.ArgumentParser) -> None:
    """Options of every command that reads a dataset."""
    parser.add_argument(
        "--dataset-root", type=place, default=Path(), help="folder or URL that media paths are relative to (.)"
    )
    parser.add_argument(
        "--workers",
        type=count,
        default=usual_workers(),
        help="processes (the cores that may be used, memory permitting)",
    )
    parser.add_argument(
        "--allow-set-aside", action="store_true", help="exit 0, not 3, when samples were set aside with their reasons"
    )


def add_retry(parser: argparse.ArgumentParser) -> None:
    """The option that reads again what was set aside."""
    parser.add_argument(
        "--retry", type=place, metavar="FILE", help="read the entries of a set_aside.jsonl again; they join the output"
    )


def add_overwriting(parser: argparse.ArgumentParser) -> None:
    """Options of every command that writes annotations: what of others it replaces, and when it is content."""
    parser.add_argument("--overwrite", action="store_true", help="replace an output that mm2energon did not write")
    parser.add_argument(
        "--allow-set-aside", action="store_true", help="exit 0, not 3, when entries were set aside with their reasons"
    )


def add_frames(parser: argparse.ArgumentParser, *, interval_seconds: float) -> None:
    """Options that say which frames of a video are extracted, and how."""
    group = parser.add_argument_group("frames")
    which = group.add_mutually_exclusive_group()
    which.add_argument(
        "--time-interval", type=float, help=f"seconds between frames ({interval_seconds:g}; 0.5 gives 2 fps)"
    )
    which.add_argument("--fps", type=float, help="frames per second, instead of an interval")
    which.add_argument("--num-frames", type=count, help="this many frames, evenly spread, instead of an interval")
    group.add_argument("--min-frames", type=count, help="fewer than this: as many, evenly spread")
    group.add_argument("--max-pixels", type=count, help="larger frames are made smaller, by Qwen's smart resize rule")
    group.add_argument("--quality", type=count, default=_QUALITY, help="JPEG quality, 1 to 100 (95)")
    group.add_argument(
        "--decoder", choices=sorted(DECODERS), default=_DECODER, help="what decodes; the frames are the same"
    )
    group.add_argument(
        "--video-timeout", type=seconds, default=3600.0, help="seconds that one video may take; 0: no limit (3600)"
    )
    group.add_argument(
        "--video-memory",
        type=memory,
        help="memory that decoding one video may take, such as 8G; 512M at least (a fair share)",
    )
    group.add_argument(
        "--video-frame-limit",
        type=count_or_none,
        default=_FRAME_LIMIT,
        metavar="N",
        help="set a video aside that would give more frames than this; 0: no limit (100000)",
    )
    group.add_argument(
        "--keep-partial", action="store_true", help="take the frames before the fault of a damaged video"
    )


def add_further_roots(parser: argparse._ActionsContainer) -> None:
    """The option that opens further roots."""
    parser.add_argument(
        "--allow-absolute-media",
        type=Path,
        action="append",
        default=[],
        metavar="ROOT",
        help="take media of this folder, too, by absolute path or through a link; may be given several times",
    )


def further_roots(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """What `add_further_roots` parsed.

    Raises:
        InputError: one of them is no folder.
    """
    for root in arguments.allow_absolute_media:
        if not root.is_dir():
            raise InputError(f"--allow-absolute-media {root}: no such folder")
    return tuple(root.resolve() for root in arguments.allow_absolute_media)


def add_counting(parser: argparse._ActionsContainer) -> None:
    """Options that say how a model's tokens are counted, beside `--model`."""
    parser.add_argument(
        "--tokenizer", type=Path, help="folder of the model's tokenizer: text is counted, not estimated"
    )
    parser.add_argument(
        "--image-pixels", type=count, metavar="N", help="pixels that the training gives one image at most (Qwen)"
    )
    parser.add_argument(
        "--frame-pixels", type=count, metavar="N", help="pixels that the training gives one frame at most (Qwen)"
    )
    parser.add_argument(
        "--whole-images", action="store_true", help="the training does not split images (MiniCPM-V, Idefics3)"
    )


def counting(arguments: argparse.Namespace) -> Counting | None:
    """What `add_counting` parsed; None without `--model`."""
    if arguments.model is None:
        return None
    return Counting(
        arguments.model, arguments.tokenizer, arguments.image_pixels, arguments.frame_pixels, arguments.whole_images
    )


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Options that name what finished shards were made from."""
    group = parser.add_argument_group("sources")
    group.add_argument("--from-sources", type=Path, help="dataset root that the shards were made from")
    group.add_argument(
        "--annotations", type=Path, default=Path("dataset.json"), help="annotation file, below it (dataset.json)"
    )
    add_further_roots(group)


def sources_of(arguments: argparse.Namespace) -> tuple[Path, Path, tuple[Path, ...]] | None:
    """What `add_sources` parsed: root, annotation file, further roots; None when no sources are given."""
    root: Path | None = arguments.from_sources
    return None if root is None else (root, root / arguments.annotations, further_roots(arguments))


def extraction(arguments: argparse.Namespace, *, interval_seconds: float, max_frames: int | None) -> Extraction:
    """What `add_frames` parsed.

    Raises:
        InputError: a value is out of range.
    """
    given = (arguments.time_interval, arguments.fps, arguments.num_frames)
    sampling = Sampling(
        interval_seconds=interval_seconds if given == (None, None, None) else arguments.time_interval,
        fps=arguments.fps,
        num_frames=arguments.num_frames,
        min_frames=arguments.min_frames,
        max_frames=max_frames,
    )
    options = FrameOptions(
        sampling=sampling,
        max_pixels=arguments.max_pixels,
        quality=arguments.quality,
        decoder=arguments.decoder,
    )
    if arguments.keep_partial and arguments.decoder != _DECODER:
        raise InputError(
            f"--keep-partial: --decoder {arguments.decoder} does not say where a video is damaged; "
            f"{_DECODER} was expected; leave --decoder out"
        )
    allowance = Allowance(max_frames=arguments.video_frame_limit or None, keep_partial=arguments.keep_partial)
    most = arguments.video_memory or max(_LEAST_MEMORY_BYTES, usable_memory_bytes() // arguments.workers)
    limits = Limits(seconds=arguments.video_timeout or None, memory_bytes=most)
    # A task of Ray has the threads that Ray sets apart for it, whatever there is on this machine.
    threads = max(1, int(arguments.cpus_per_unit or 1)) if arguments.executor == "ray" else arguments.workers
    return Extraction(options, threads, limits, allowance, executor(arguments))


def extraction_asked(arguments: argparse.Namespace) -> bool:
    """Whether one of the options that `add_frames` parsed says how frames shall be."""
    asked = (arguments.time_interval, arguments.fps, arguments.num_frames, arguments.min_frames, arguments.max_pixels)
    return any(value is not None for value in asked) or (arguments.quality, arguments.decoder) != (_QUALITY, _DECODER)


def accounted(head: list[str], account: Mapping[str, Any], *, allowed: bool) -> Result:
    """The end of every summary: the numbers, and the exit status that goes with them."""
    written, refused = account["written"], account["set_aside"]
    lines = [*head, *memory_line(), f"read       {account['read']:>8}"]
    lines += [f"written    {sum(written.values()):>8}" + _details(written)]
    lines += [f"set aside  {sum(refused.values()):>8}" + _details(refused)]
    if refused:
        lines.append(f"           see {account['set_aside_file']}")
    lines += [f"broken: {_lost(origin)}" for origin in account["lost_behind"]]
    # What is lost behind a break was never looked at: nobody can have allowed that.
    return Result(lines, 3 if account["lost_behind"] or (refused and not allowed) else 0)


def partial_videos(found: Mapping[str, str]) -> list[str]:
    """The lines of a summary that name the videos that are damaged, and taken up to there."""
    lines = [f"  {len(found)} damaged videos were taken up to the fault:"] if found else []
    lines += [f"    {video}: {what}" for video, what in islice(found.items(), _SHOWN)]
    return lines + ([f"    ... {len(found)} in all"] if len(found) > _SHOWN else [])


def _lost(origin: str) -> str:
    """What cannot be read of an array that is broken in the entry of that origin."""
    name, _, number = origin.removesuffix("]").rpartition("[")
    where = f"behind entry {int(number) - 1}" if int(number) else "at all"
    return f"{name} cannot be read {where}; what follows there is not counted; mend it, and run again"


def _details(counts: Mapping[str, int]) -> str:
    named = {name: number for name, number in counts.items() if number and name != "entries"}
    return f"   ({', '.join(f'{name} {number}' for name, number in named.items())})" if named else ""
