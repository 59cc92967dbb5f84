"""`mm2energon doctor` = doctor_shards.py."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.options import add_sources, sources_of
from mm2energon.pipeline.doctor import Examination, examine
from mm2energon.pipeline.doctor_findings import Finding
from mm2energon.pipeline.doctor_sources import Sources
from mm2energon.pipeline.loop import ProgressMaker

#: Exit status when something is wrong.
_WRONG = 3
_REPAIR = {
    "yes": "mends it",
    "with --from-sources": "mends it with --from-sources",
    "no": "cannot mend it; the samples go over as they are, and are named",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("shards", type=Path, nargs="?", default=Path("wds"), help="folder of the shards (wds)")
    add_sources(parser)
    parser.add_argument("--json", action="store_true", help="say it as one JSON object, for a machine")


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Look at a dataset."""
    with contextlib.ExitStack() as stack:
        where = sources_of(arguments)
        sources = None if where is None else stack.enter_context(contextlib.closing(Sources(*where)))
        found = examine(arguments.shards, sources=sources, progress=progress)
    status = _WRONG if found.findings else 0
    if arguments.json:
        return Result([json.dumps(found.as_dict())], status)
    return Result([*summary(found), *_findings(found), *_end(found)], status)


def summary(found: Examination) -> list[str]:
    """What was looked at."""
    reader = (
        "a reader that is not known here" if found.target is None else f"{found.target.name}: {found.target.reader}"
    )
    lines = [
        f"{found.root}   for {reader}",
        f"{found.samples} samples with {found.pictures} pictures in {found.shards} shards, by {found.written_by}",
    ]
    if found.compared:
        lines.append(
            f"{found.compared} samples with pictures: of {found.decided} the sources tell how their colours lie"
        )
    return [*lines, *(f"note: {note}" for note in found.notes)]


def _findings(found: Examination) -> list[str]:
    lines = []
    for finding in found.findings:
        kind = finding.kind
        lines += [
            f"WRONG {finding.code}{_counted(finding)}: {kind.what}",
            f"      such as  {finding.example}",
            f"      effect   {kind.effect}",
            f"      repair   {_REPAIR[kind.repair]}",
        ]
    return lines


def _counted(finding: Finding) -> str:
    return f" ({finding.count} {finding.kind.of})" if finding.kind.of else ""


def _end(found: Examination) -> list[str]:
    where = shlex.quote(str(found.root))
    if not found.findings:
        return [f"nothing found; every picture is decoded by: mm2energon verify {where}"]
    new = shlex.quote(f"{found.root}-repaired")
    return [f"{len(found.findings)} things found", f"Mend it: mm2energon repair {where} --output {new}"]
