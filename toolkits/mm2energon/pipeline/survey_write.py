"""The files of a report: written whole, over one of ours alone, and left as they are where nothing has changed."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from mm2energon.errors import InputError
from mm2energon.jsonio import dumps
from mm2energon.pipeline.alone import alone_on
from mm2energon.pipeline.survey import Survey
from mm2energon.pipeline.survey_page import GENERATOR, page_of
from mm2energon.pipeline.survey_told import BY, json_of
from mm2energon.remote import Place, Remote, is_there
from mm2energon.roots import open_regular
from mm2energon.shards.metadata import FOLDER
from mm2energon.storage import write_whole

#: What stands near the beginning of a page of ours, and of a JSON.
_MARKS = (f'content="{GENERATOR}"'.encode(), f'{{"by":"{BY}"'.encode())
_HEAD_BYTES = 1024


def check_output(path: Place, root: Place, *, option: str, overwrite: bool) -> None:
    """Refuse to write where something else stands, before anything is read.

    Raises:
        InputError: a file that is no report of ours, or a folder; or it would lie among the metadata.
    """
    parts = path.url.split("/") if isinstance(path, Remote) else path.absolute().parts
    if FOLDER in parts or path.name.endswith((".tar", ".idx")):
        raise InputError(f"{option} {path}: is a place of the shards of {root}; another name was expected")
    if isinstance(path, Path) and path.is_dir():
        raise InputError(f"{option} {path}: is a folder; the name of a file was expected")
    there = is_there(path) if isinstance(path, Remote) else path.exists()
    if there and not overwrite and not _is_ours(path):
        raise InputError(f"{option} {path}: exists, and is no report of ours; choose another name, or --overwrite it")


def numbers_beside(page: Place) -> Place:
    """Where the JSON of a page goes: `report.json` may be the account of a run, or a file of the user's."""
    path = page.with_name(f"{PurePosixPath(page.name).stem}.json")
    if isinstance(path, Remote):
        is_free = not is_there(path) or _is_ours(path)
    else:
        is_free = not path.exists() or (path.is_file() and _is_ours(path))
    return path if path != page and is_free else page.with_name(f"{page.name}.json")


def write_page(path: Place, found: Survey) -> bool:
    """Write the page; False when it was there already."""
    return _write(path, page_of(found), option="--output")


def write_json(path: Place, found: Survey) -> bool:
    """Write the JSON; False when it was there already."""
    return _write(path, dumps(json_of(found)) + b"\n", option="--json")


def _write(path: Place, data: bytes, *, option: str) -> bool:
    if isinstance(path, Remote):
        if path.size() == len(data) and path.read() == data:
            return False
        path.write(data)
        return True
    with alone_on(path.absolute(), option=option):
        if path.is_file() and path.read_bytes() == data:
            return False
        with write_whole(path) as file:
            file.write(data)
    return True


def _is_ours(path: Place) -> bool:
    if isinstance(path, Remote):
        head = path.read_part(0, min(_HEAD_BYTES, path.size() or 0))
    else:
        with open_regular(path) as file:
            head = file.read(_HEAD_BYTES)
    return any(mark in head for mark in _MARKS)
