"""`mm2energon report` = report_dataset.py."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from pathlib import Path

from mm2energon.commands import Result
from mm2energon.commands.cluster import add_executor, executor
from mm2energon.commands.places import add_cache, stored_dataset
from mm2energon.commands.values import count_or_none
from mm2energon.errors import InputError
from mm2energon.pages.lines import plain
from mm2energon.pipeline.loop import ProgressMaker
from mm2energon.pipeline.survey import Survey, survey
from mm2energon.pipeline.survey_page import how_many_were_read
from mm2energon.pipeline.survey_plan import SurveyOptions
from mm2energon.pipeline.survey_told import lines_of
from mm2energon.pipeline.survey_write import check_output, numbers_beside, write_json, write_page
from mm2energon.remote import Place, place
from mm2energon.tokens import MODELS

_DEFAULTS = SurveyOptions()
#: Columns and lines of what is no terminal.
_PIPED = (120, 40)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("shards", type=place, nargs="?", default=Path("wds"), help="folder or URL of the shards (wds)")
    parser.add_argument("--output", type=place, help="the page, one HTML file without anything else (report.html)")
    parser.add_argument(
        "--json",
        type=place,
        metavar="FILE",
        help="the numbers for programs (beside the page: report.json, or report.html.json where another file has that "
        "name)",
    )
    parser.add_argument(
        "--text", action="store_true", help="print the essentials; the page is then written only with --output"
    )
    parser.add_argument(
        "--model", choices=sorted(MODELS), default=_DEFAULTS.model, help="whose tokens are counted (qwen2.5-vl)"
    )
    parser.add_argument(
        "--tokenizer", type=Path, help="folder or file of its tokenizer; without it tokens of text are estimated"
    )
    parser.add_argument(
        "--samples", type=count_or_none, default=_DEFAULTS.shown, metavar="N", help="samples that are shown (24)"
    )
    parser.add_argument(
        "--read",
        type=count_or_none,
        default=_DEFAULTS.most,
        metavar="N",
        help="samples that are read at most, spread over all shards; 0: all (5000)",
    )
    parser.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="says which samples those are (42)")
    parser.add_argument("--workers", type=count_or_none, default=0, help="processes that read (0: this one)")
    add_executor(parser)
    add_cache(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is no report")


def run(arguments: argparse.Namespace, progress: ProgressMaker) -> Result:
    """Look through a dataset, and tell."""
    with contextlib.ExitStack() as stack:
        return _run(arguments, progress, stack)


def _run(arguments: argparse.Namespace, progress: ProgressMaker, stack: contextlib.ExitStack) -> Result:
    output = arguments.output or (None if arguments.text else Path("report.html"))
    numbers = arguments.json or (None if output is None else numbers_beside(output))
    for option, path in (("--output", output), ("--json", numbers)):
        if path is not None:
            check_output(path, arguments.shards, option=option, overwrite=arguments.overwrite)
    if output is not None and numbers is not None and _real(output) == _real(numbers):
        raise InputError(f"--json {numbers}: is the page itself; another name was expected, such as report.json")
    options = SurveyOptions(
        model=arguments.model,
        tokenizer=arguments.tokenizer,
        most=arguments.read,
        shown=arguments.samples if output is not None else 0,
        seed=arguments.seed,
    )
    root, stored = stored_dataset(arguments.shards, arguments, stack, with_accounts=True)
    found = survey(
        root, options, workers=arguments.workers, executor=executor(arguments), stored=stored, progress=progress
    )
    lines = [f"{arguments.shards}   for {found.target.name}: {found.target.reader}", how_many_were_read(found)]
    if arguments.text:
        told = lines_of(found, columns=shutil.get_terminal_size(_PIPED).columns)
        lines += ["", *(told if _has_blocks(sys.stdout.encoding) else map(plain, told))]
    else:
        lines += _in_short(found)
    if output is not None:
        lines.append(_written(output, is_new=write_page(output, found)))
    if numbers is not None:
        lines.append(_written(numbers, is_new=write_json(numbers, found)))
    return Result(lines, 3 if found.unread else 0)


def _real(path: Place) -> Place:
    return path.resolve() if isinstance(path, Path) else path


def _has_blocks(encoding: str | None) -> bool:
    try:
        return bool("█▁▏…".encode(encoding or "ascii"))
    except (LookupError, UnicodeEncodeError):
        return False


def _in_short(found: Survey) -> list[str]:
    return [f"warning: {code}: {warned.count}, first {warned.places[0][0]}" for code, warned in found.warnings.items()]


def _written(path: Place, *, is_new: bool) -> str:
    return f"{path}{'' if is_new else '   was complete already, nothing was written'}"
