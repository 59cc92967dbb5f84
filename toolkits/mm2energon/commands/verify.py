"""`mm2energon verify` = verify_shards.py."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.cluster import add_executor, executor
from mm2energon.commands.options import add_further_roots, further_roots
from mm2energon.commands.places import add_cache, stored_dataset
from mm2energon.commands.values import count_or_none
from mm2energon.pipeline.annotations import files_of
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.verify import HowDeep, verify
from mm2energon.pipeline.verify_findings import Compared, Verified
from mm2energon.pipeline.verify_sources import Sources
from mm2energon.remote import place

#: Faults shown; the number of all is said.
_SHOWN = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("shards", type=place, nargs="?", default=Path("wds"), help="folder or URL of the shards (wds)")
    parser.add_argument(
        "--deep",
        action="store_true",
        help="read every byte: checksums, all records, all pictures (small datasets are always read so)",
    )
    parser.add_argument(
        "--against", type=Path, metavar="ROOT", help="compare with the dataset root that shard read; reads every byte"
    )
    parser.add_argument(
        "--json",
        type=Path,
        action="append",
        help="with --against: the annotation files, as shard was given them (dataset.json)",
    )
    add_further_roots(parser)
    parser.add_argument(
        "--workers", type=count_or_none, default=0, help="processes that read, and of Energon's loader (0: this one)"
    )
    add_executor(parser)
    add_cache(parser)
    parser.add_argument("--skip-energon", action="store_true", help="read with webdataset alone (needs no torch)")


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Read everything back."""
    with contextlib.ExitStack() as stack:
        return _run(arguments, progress, stack)


def _run(arguments: argparse.Namespace, progress: ProgressMaker, stack: contextlib.ExitStack) -> Result:
    sources = None
    if arguments.against is not None:
        root = arguments.against.resolve()
        files = files_of(root, arguments.json or [Path("dataset.json")]).paths
        sources = Sources(arguments.against, files, further_roots(arguments))
    root, stored = stored_dataset(arguments.shards, arguments, stack)
    found = verify(
        root,
        how=HowDeep(deep=arguments.deep),
        energon=not arguments.skip_energon,
        workers=arguments.workers,
        against=sources,
        executor=executor(arguments),
        stored=stored,
        progress=progress,
    )
    lines = [f"{arguments.shards}   for {found.target}", *_read(found, energon=not arguments.skip_energon)]
    if found.compared is not None:
        lines += _compared(found.compared, arguments.against)
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"FAULT {fault}" for fault in found.faults[:_SHOWN]]
    if found.fault_count:
        more = f" ({_SHOWN} shown)" if found.fault_count > _SHOWN else ""
        return Result([*lines, f"{found.fault_count} faults{more}"], 1)
    return Result([*lines, "no fault"])


def _read(found: Verified, *, energon: bool) -> list[str]:
    lines = []
    for split, samples in found.by_webdataset.items():
        by_energon = str(found.by_energon.get(split, 0)) if energon and found.by_energon else "not asked"
        listed = "" if found.deep else f"{found.samples.get(split, 0):>8} samples, "
        how = "samples by webdataset" if found.deep else "of them read"
        lines.append(f"{split:<6} {listed}{samples:>8} {how}, {by_energon:>8} by Energon")
    lines.append(f"{found.images} images, {found.videos} videos with {found.frames} frames decoded")
    if not found.deep:
        what = "the indexes" if found.by_index else "all headers"
        lines.append(f"a look at {what} and at samples spread over the shards; --deep reads every byte")
    return lines


def _compared(compared: Compared, root: Path) -> list[str]:
    lines = [
        f"compared with {root}: {compared.same} samples the same, {compared.different} different, "
        f"{compared.missing} missing, {compared.too_many} too many; {compared.set_aside} entries were set aside"
    ]
    if compared.by_pixels:
        lines.append(f"  {compared.by_pixels} pictures that are stored anew were compared by their pixels")
    if compared.extracted:
        lines.append(
            f"  {compared.extracted} videos, whose frames are in the shards alone, were extracted again for it"
        )
    for reason, count in sorted(compared.unseen.items()):
        lines.append(
            f"  {count} samples: text compared, media NOT compared, for their sources cannot be had ({reason})"
        )
    return lines
