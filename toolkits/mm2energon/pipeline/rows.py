"""Rows: entries in Parquet files, and in datasets that Hugging Face `datasets` saved, read in batches.

A picture inside a row (`{"bytes": ..., "path": ...}`, as `datasets` keeps them) becomes a file. Formats: Apache Parquet
and Arrow IPC, by pyarrow; `save_to_disk` of datasets writes `data-00000-of-00001.arrow` and a `state.json` that names
such files in order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from mm2energon.errors import InputError, missing_extra
from mm2energon.jsonio import Entry
from mm2energon.pipeline.convert_media import Reshaping, ending_of, write_medium
from mm2energon.roots import name_from

_BATCH_ROWS = 256


def are_rows(source: Path) -> bool:
    """Whether a source is a Parquet file, a folder of such, or a dataset that `datasets` saved."""
    if source.is_file():
        return source.suffix == ".parquet"
    return source.is_dir()


def read_rows(source: Path, how: Reshaping) -> Iterator[Entry]:
    """The rows of a source as entries, whose origins are `name[12]`.

    Raises:
        InputError: it cannot be read, or holds no rows.
        DependencyError: pyarrow is not installed.
    """
    arrow = _import_arrow()
    files = _files(source)
    if not files:
        raise InputError(f"{source}: neither Parquet files nor a saved dataset; one was expected")
    for path in files:
        number = 0
        try:
            for batch in _batches(path):
                for row in batch.to_pylist():
                    yield Entry(f"{path.name}[{number}]", _plain(row, path, how))
                    number += 1
        except (arrow.ArrowException, OSError) as error:
            raise InputError(
                f"{path}: cannot be read behind row {number - 1} ({error}); a whole file was expected; mend it"
            ) from error


def _import_arrow() -> ModuleType:
    try:
        import pyarrow
    except ImportError as error:
        raise missing_extra("pyarrow", "parquet") from error
    module: ModuleType = pyarrow
    return module


def _files(source: Path) -> list[Path]:
    """The files of a source in their order; of several splits all, by name."""
    if source.is_file():
        return [source]
    state = source / "state.json"
    if state.is_file():
        listed = json.loads(state.read_bytes()).get("_data_files", [])
        return [source / one["filename"] for one in listed]
    parquet = sorted(source.rglob("*.parquet"))
    return parquet or sorted(source.rglob("*.arrow"))


def _batches(path: Path) -> Iterator[Any]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH_ROWS)
        return
    from pyarrow import ipc, memory_map

    with memory_map(str(path)) as mapped:
        try:
            yield from ipc.open_stream(mapped)
        except ValueError:  # the other of its two shapes
            file = ipc.open_file(mapped)
            yield from (file.get_batch(number) for number in range(file.num_record_batches))


def _plain(value: Any, path: Path, how: Reshaping) -> Any:
    """A value of a row with its pictures as files, and without the columns that are empty."""
    if isinstance(value, dict):
        if value.keys() == {"bytes", "path"}:
            return _medium(value, path, how)
        return {key: _plain(one, path, how) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_plain(one, path, how) for one in value]
    return value


def _medium(value: dict[str, Any], path: Path, how: Reshaping) -> str | None:
    data, name = value["bytes"], value["path"]
    if data:
        ending = ending_of(bytes(data))
        return write_medium(bytes(data), ending or Path(name or "").suffix.lstrip(".") or "bin", how)
    if name is None:
        return None
    beside = Path(name) if Path(name).is_absolute() else path.parent / name
    return name_from(how.root, beside) if beside.is_relative_to(how.root) else str(name)
