"""The files of a report: written whole, over one of ours alone, and left as they are where nothing has changed."""

from __future__ import annotations

from pathlib import Path

from mm2energon.errors import InputError
from mm2energon.jsonio import dumps
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.survey import Survey
from mm2energon.pipeline.survey_page import GENERATOR, page_of
from mm2energon.pipeline.survey_told import BY, json_of
from mm2energon.roots import open_regular
from mm2energon.shards.metadata import FOLDER
from mm2energon.storage import write_whole

#: What stands near the beginning of a page of ours, and of a JSON.
_MARKS = (f'content="{GENERATOR}"'.encode(), f'{{"by":"{BY}"'.encode())
_HEAD_BYTES = 1024


def check_output(path: Path, root: Path, *, option: str, overwrite: bool) -> None:
    """Refuse to write where something else stands, before anything is read.

    Raises:
        InputError: a file that is no report of ours, or a folder; or it would lie among the metadata.
    """
    if FOLDER in path.absolute().parts or path.name.endswith((".tar", ".idx")):
        raise InputError(f"{option} {path}: is a place of the shards of {root}; another name was expected")
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder; the name of a file was expected")
    if path.exists() and not overwrite and not _is_ours(path):
        raise InputError(f"{option} {path}: exists, and is no report of ours; choose another name, or --overwrite it")


def numbers_beside(page: Path) -> Path:
    """Where the JSON of a page goes: `report.json` may be the account of a run, or a file of the user's."""
    path = page.with_suffix(".json")
    return path if path != page and (not path.exists() or (path.is_file() and _is_ours(path))) else Path(f"{page}.json")


def write_page(path: Path, found: Survey) -> bool:
    """Write the page; False when it was there already."""
    return _write(path, page_of(found), option="--output")


def write_json(path: Path, found: Survey) -> bool:
    """Write the JSON; False when it was there already."""
    return _write(path, dumps(json_of(found)) + b"\n", option="--json")


def _write(path: Path, data: bytes, *, option: str) -> bool:
    with alone_on(path.absolute(), option=option):
        if path.is_file() and path.read_bytes() == data:
            return False
        with write_whole(path) as file:
            file.write(data)
    return True


def _is_ours(path: Path) -> bool:
    with open_regular(path) as file:
        head = file.read(_HEAD_BYTES)
    return any(mark in head for mark in _MARKS)
