"""Reads shards and metadata back, without Energon: the tars through the webdataset library, the indexes one by one."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mm2energon.errors import InputError
from mm2energon.shards.index import PartRow, SampleRow, idx_path, unpack_offsets
from mm2energon.shards.metadata import FOLDER, MANIFEST

_ROWS = (
    "SELECT s.tar_file_id, s.sample_index, s.sample_key, s.byte_offset, s.byte_size, "
    "p.part_name, p.content_byte_offset, p.content_byte_size "
    "FROM samples AS s JOIN sample_parts AS p ON p.tar_file_id = s.tar_file_id AND p.sample_index = s.sample_index "
    "ORDER BY s.tar_file_id, s.sample_index, p.content_byte_offset"
)


@dataclass(frozen=True, slots=True)
class DatasetIndex:
    """What `.nv-meta` says about a dataset, without the rows."""

    #: Shard name -> number of samples; the order is that of the SQLite index.
    counts: Mapping[str, int]
    #: Split -> names of its shards.
    splits: Mapping[str, list[str]]
    #: Shards, or `shard/key`, that loading leaves out.
    excluded: list[str]
    #: The content of mm2energon.json; empty when the dataset was prepared by other means.
    manifest: Mapping[str, Any]


def read_shard(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Each sample of a tar as its key and its parts, in order, as the webdataset library sees it.

    Raises:
        InputError: the file cannot be opened, or is no whole tar.
    """
    from webdataset.tariterators import group_by_keys, tar_file_expander

    try:
        with path.open("rb") as stream:
            files = tar_file_expander([{"url": str(path), "stream": stream}])
            for sample in group_by_keys(files, lcase=False):
                yield sample["__key__"], {part: data for part, data in sample.items() if part[:2] != "__"}
    except (OSError, EOFError, ValueError, tarfile.TarError) as error:
        raise InputError(f"{path}: {error}; a whole tar was expected; write the shard again") from error


def read_index(root: Path) -> DatasetIndex:
    """The counts, splits and manifest of a dataset.

    Raises:
        InputError: a file is missing or is not what Energon expects.
    """
    info, split = _mapping(root, ".info.json"), _mapping(root, "split.yaml")
    counts, parts = info.get("shard_counts"), split.get("split_parts")
    if not isinstance(counts, dict) or not isinstance(parts, dict):
        raise InputError(f"{root / FOLDER}: no shard_counts or no split_parts; `energon prepare` writes both")
    manifest = _mapping(root, MANIFEST) if (root / FOLDER / MANIFEST).exists() else {}
    return DatasetIndex(
        counts, {name: list(shards or ()) for name, shards in parts.items()}, _excluded(split), manifest
    )


def read_dataset_yaml(root: Path, name: str = "dataset.yaml") -> dict[str, Any]:
    """What a `dataset.yaml` tells Energon about the samples.

    Raises:
        InputError: it is missing or holds no mapping.
    """
    return _mapping(root, name)


def read_offsets(tar: Path) -> list[int]:
    """The offsets in the `.tar.idx` of a shard: one for each sample, and one for the end.

    Raises:
        InputError: it is missing, or cut off.
    """
    path = idx_path(tar)
    try:
        return unpack_offsets(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}; Energon cannot load the shard without it") from error


def read_rows(root: Path) -> Iterator[tuple[str, SampleRow]]:
    """Each sample in `index.sqlite`, in order, with the name of its shard.

    Raises:
        InputError: the database is missing, damaged, or names a shard that `.info.json` does not.
    """
    names = list(read_index(root).counts)
    path = root / FOLDER / "index.sqlite"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            for number, row in _grouped(database.execute(_ROWS)):
                yield names[number], row
    except (sqlite3.Error, IndexError) as error:
        raise InputError(f"{path}: {error}; the index that belongs to the shards was expected") from error


def _grouped(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[int, SampleRow]]:
    """Joined rows, one a part, as one row a sample."""
    sample: tuple[Any, ...] | None = None
    parts: list[PartRow] = []
    for *fields, name, offset, size in rows:
        if sample is not None and sample != tuple(fields):
            yield sample[0], _sample_row(sample, parts)
            parts = []
        sample = tuple(fields)
        parts.append((name, offset, size))
    if sample is not None:
        yield sample[0], _sample_row(sample, parts)


def _sample_row(fields: tuple[Any, ...], parts: list[PartRow]) -> SampleRow:
    _, _, key, byte_offset, byte_size = fields
    return SampleRow(key, byte_offset, byte_size, tuple(parts))


def _excluded(split: Mapping[str, Any]) -> list[str]:
    return [str(name) for name in split.get("exclude") or ()]


def _mapping(root: Path, name: str) -> dict[str, Any]:
    """The mapping in a JSON or YAML file of the folder."""
    path = root / FOLDER / name
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds a {type(content).__name__}; a mapping was expected")
    return content
