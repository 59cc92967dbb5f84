"""Rows: entries in Parquet and Arrow files, and in datasets that Hugging Face `datasets` saved, read in batches.

A picture inside a row (`{"bytes": ..., "path": ...}`, as `datasets` keeps them, or its bytes alone) becomes a file.
Formats: Apache Parquet and Arrow IPC, by pyarrow; `save_to_disk` of datasets writes `data-00000-of-00001.arrow` and a
`state.json` that names such files in order, and of several splits a folder each and a `dataset_dict.json` that names
these. Other files in such folders (`cache-....arrow`) are no part of it.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

from mm2energon.errors import InputError, missing_extra
from mm2energon.jsonio import Entry
from mm2energon.pipeline.convert_media import ending_of, write_medium
from mm2energon.pipeline.reshaping import Reshaping
from mm2energon.roots import name_from

#: Rows that are held at once; each may hold pictures.
_BATCH_ROWS = 32
_ENDINGS = frozenset({".parquet", ".arrow"})


def are_rows(source: Path) -> bool:
    """Whether a source is a Parquet or Arrow file, a folder of such, or a dataset that `datasets` saved."""
    if source.is_file():
        return source.suffix.lower() in _ENDINGS
    return source.is_dir()


def read_rows(source: Path, how: Reshaping) -> Iterator[Entry]:
    """The rows of a source as entries, whose origins are `name[12]`, in a folder with the path below it.

    Raises:
        InputError: it cannot be read, or holds no rows.
        DependencyError: pyarrow is not installed.
    """
    arrow = _import_arrow()
    files = _files(source)
    if not files:
        raise InputError(f"{source}: neither Parquet files nor a saved dataset; one was expected")
    for path in files:
        name = path.name if path == source else path.relative_to(source).as_posix()
        number = 0
        try:
            for batch in _batches(path):
                for row in batch.to_pylist():
                    yield Entry(f"{name}[{number}]", _plain(row, path, how))
                    number += 1
        except (arrow.ArrowException, OSError) as error:
            where = f"behind its first {number} rows " if number else ""
            raise InputError(f"{path}: cannot be read {where}({error}); a whole file was expected; mend it") from error


def _import_arrow() -> ModuleType:
    try:
        import pyarrow
    except ImportError as error:
        raise missing_extra("pyarrow", "parquet") from error
    module: ModuleType = pyarrow
    return module


def _files(source: Path) -> list[Path]:
    """The files of a source in their order; of several splits all, as the dataset names them, or by name."""
    if source.is_file():
        return [source]
    if (saved := _saved(source)) is not None:
        return saved
    if isinstance(splits := _listed(source / "dataset_dict.json", "splits"), list):
        return [path for split in splits for path in _saved(source / str(split)) or []]
    found = [path for path in sorted(source.rglob("*")) if path.suffix.lower() in _ENDINGS and path.is_file()]
    shown = [path for path in found if not any(part.startswith(".") for part in path.relative_to(source).parts)]
    return [path for path in shown if path.suffix.lower() == ".parquet"] or shown


def _saved(folder: Path) -> list[Path] | None:
    """The files of a dataset that `save_to_disk` wrote; None where the folder is none."""
    listed = _listed(folder / "state.json", "_data_files")
    if not isinstance(listed, list):
        return None
    return [folder / str(one["filename"]) for one in listed if isinstance(one, dict) and "filename" in one]


def _listed(path: Path, key: str) -> Any:
    """What a JSON file says under a key; None where there is no such file.

    Raises:
        InputError: it is no JSON.
    """
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); that of a saved dataset was expected; mend it") from error
    return value.get(key) if isinstance(value, dict) else None


def _batches(path: Path) -> Iterator[Any]:
    if path.suffix.lower() == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH_ROWS)
        return
    from pyarrow import ipc, memory_map

    with memory_map(str(path)) as mapped:
        for batch in _mapped(mapped, ipc):
            yield from (batch.slice(start, _BATCH_ROWS) for start in range(0, batch.num_rows, _BATCH_ROWS))


def _mapped(mapped: Any, ipc: ModuleType) -> Iterator[Any]:
    try:
        yield from ipc.open_stream(mapped)
    except ValueError:  # the other of its two shapes
        file = ipc.open_file(mapped)
        yield from (file.get_batch(number) for number in range(file.num_record_batches))


def _plain(value: Any, path: Path, how: Reshaping) -> Any:
    """A value of a row as JSON says it, with its pictures as files, and without the columns that are empty."""
    if isinstance(value, dict):
        if value.keys() == {"bytes", "path"}:
            return _medium(value, path, how)
        return {key: _plain(one, path, how) for key, one in value.items() if one is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(one, path, how) for one in value]
    if isinstance(value, bytes):
        return _bytes(value, how)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (datetime.timedelta, Decimal)):
        return str(value)
    return value


def _bytes(value: bytes, how: Reshaping) -> str:
    """A picture as a file; other bytes in base64, which also becomes a file where a medium was expected."""
    if ending := ending_of(value):
        return write_medium(value, ending, how)
    return f"data:application/octet-stream;base64,{base64.b64encode(value).decode()}"


def _medium(value: dict[str, Any], path: Path, how: Reshaping) -> str | None:
    data, name = value["bytes"], value["path"]
    if data:
        ending = ending_of(bytes(data))
        return write_medium(bytes(data), ending or Path(name or "").suffix.lstrip(".") or "bin", how)
    if name is None:
        return None
    beside = path.parent / name
    return name_from(how.root, beside) if beside.is_relative_to(how.root) and beside.is_file() else str(name)
