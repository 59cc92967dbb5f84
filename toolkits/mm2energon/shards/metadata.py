"""Writes the folder `.nv-meta` of a dataset: what `energon prepare` would write, from the rows of the shard writers.

The layout is that of Megatron-Energon 7.4.1 (its documentation calls the SQLite tables internal; the tests compare
them with what the installed version writes). Only shard counts stand in `.info.*`: then 4.0 to 7.4 all read it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from mm2energon.database import faults_of_the_disk
from mm2energon.errors import InputError
from mm2energon.jsonio import dumps
from mm2energon.shards.index import ShardIndex, ShardSummary
from mm2energon.storage import sync_folder, write_whole

__all__ = ["FOLDER", "MANIFEST", "ShardSummary", "replace_dataset_yamls", "write_metadata"]

FOLDER = ".nv-meta"
#: Our own file in the folder: how the dataset was made.
MANIFEST = "mm2energon.json"
#: Energon's documentation names these; all three are always there, so that asking for an empty one is answered.
SPLITS = ("train", "val", "test")

_TABLES = (
    "CREATE TABLE samples (tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, "
    "sample_index INTEGER NOT NULL, byte_offset INTEGER, byte_size INTEGER)",
    "CREATE TABLE sample_parts (tar_file_id INTEGER, sample_index INTEGER, part_name TEXT, "
    "content_byte_offset INTEGER, content_byte_size INTEGER)",
)
_INDEXES = (
    "CREATE INDEX idx_samples_by_tar_and_idx ON samples(tar_file_id, sample_index)",
    "CREATE INDEX idx_sample_parts_seq ON sample_parts(tar_file_id, sample_index, content_byte_offset)",
    "CREATE INDEX idx_sample_parts_full ON sample_parts"
    "(tar_file_id, sample_index, part_name, content_byte_offset, content_byte_size)",
)


def write_metadata(
    root: Path,
    *,
    shards: Iterable[ShardSummary],
    splits: Mapping[str, Sequence[str]],
    dataset_yamls: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> None:
    """Write `root/.nv-meta`, complete or not at all; one that is there already is replaced.

    The same input gives the same bytes.

    Args:
        root: the folder that the shards are in.
        shards: every shard of the dataset, in order; gone through once, so it may be a generator.
        splits: split -> names of its shards; train, val and test are written even when they have none.
        dataset_yamls: file name -> content; `dataset.yaml` is the one that Energon reads by default.
        manifest: the content of `mm2energon.json`.

    Raises:
        InputError: a key for the second time.
        ValueError: a shard without samples, or one that is not in its split alone.
    """
    fresh, old = root / f"{FOLDER}.writing", root / f"{FOLDER}.old"
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        _fill(fresh, shards, splits, dataset_yamls, manifest)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _swap(fresh, root / FOLDER, old)


def replace_dataset_yamls(
    root: Path, *, dataset_yamls: Mapping[str, Mapping[str, Any]], manifest: Mapping[str, Any]
) -> None:
    """Exchange the `dataset*.yaml` files and the manifest of a dataset; its shards and indexes stay as they are.

    Raises:
        InputError: the dataset has no `.nv-meta`.
    """
    folder = root / FOLDER
    if not folder.is_dir():
        raise InputError(f"{root}: no {FOLDER} in it; the folder of a finished dataset was expected")
    for name, content in {**_yaml_files(dataset_yamls), MANIFEST: _json(manifest)}.items():
        with write_whole(folder / name) as file:
            file.write(content)
    for path in folder.glob("dataset*.yaml"):
        if path.name not in dataset_yamls:
            path.unlink()


def _fill(
    folder: Path,
    shards: Iterable[ShardSummary],
    splits: Mapping[str, Sequence[str]],
    dataset_yamls: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> None:
    counts, index_id = _write_rows(folder / "index.sqlite", shards, _split_of(splits))
    unwritten = sorted(set(_split_of(splits)) - set(counts))
    if unwritten:
        raise ValueError(f"splits name {unwritten[0]!r} (of {len(unwritten)}), which is not among the shards")
    info = {"shard_counts": counts}
    split_parts = {split: list(splits.get(split, ())) for split in dict.fromkeys([*SPLITS, *splits])}
    files = {
        "index.uuid": index_id.encode(),
        ".info.json": json.dumps(info, indent=2).encode(),
        ".info.yaml": _yaml(info),
        "split.yaml": _yaml({"split_parts": split_parts, "exclude": []}),
        **_yaml_files(dataset_yamls),
        MANIFEST: _json(manifest),
    }
    for name, content in files.items():
        with (folder / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(folder)


def _write_rows(path: Path, shards: Iterable[ShardSummary], split_of: Mapping[str, str]) -> tuple[dict[str, int], str]:
    """Write the SQLite index; return the samples of each shard and the id of all rows."""
    counts: dict[str, int] = {}
    index_id = IndexId()
    # No locks and no journal: nobody else knows the file yet, and network file systems are slow or wrong with both.
    with (
        faults_of_the_disk(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?nolock=1", uri=True, isolation_level=None)) as database,
    ):
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "BEGIN", *_TABLES):
            database.execute(statement)
        for number, shard in enumerate(shards):
            _check_shard(shard, counts, split_of)
            samples, parts = _sample_rows(number, shard.index), _part_rows(number, shard.index)
            _insert(database, shard.name, samples, parts)
            counts[shard.name] = len(samples)
            index_id.add(shard.name, samples, parts)
        for statement in (*_INDEXES, "COMMIT"):
            database.execute(statement)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return counts, str(index_id)


class IndexId:
    """The id of an index, made from all of its rows: that of an earlier state is another."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, name: str, samples: list[Any], parts: list[Any]) -> None:
        """Add the rows of the next shard."""
        self._digest.update(dumps([name, samples, parts]))

    def add_shard(self, number: int, name: str, index: ShardIndex) -> None:
        """Add what the next shard holds."""
        self.add(name, _sample_rows(number, index), _part_rows(number, index))

    def __str__(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, self._digest.hexdigest()))


def _check_shard(shard: ShardSummary, counts: Mapping[str, int], split_of: Mapping[str, str]) -> None:
    if not shard.index.samples:
        raise ValueError(f"{shard.name}: no samples; Energon refuses an empty shard, so leave it out")
    if shard.name in counts or split_of.get(shard.name) != shard.split:
        raise ValueError(f"{shard.name}: must be given once, and be listed in its split {shard.split!r} alone")


def _insert(database: sqlite3.Connection, name: str, samples: list[Any], parts: list[Any]) -> None:
    try:
        database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", samples)
    except sqlite3.IntegrityError as error:
        raise InputError(
            f"{name}: a key that was in this or in an earlier shard; keys are unique in the whole dataset "
            "(Energon 7.3 and later refuse others); write the shards again from one plan"
        ) from error
    database.executemany("INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", parts)


def _sample_rows(number: int, index: ShardIndex) -> list[tuple[int, str, int, int, int]]:
    return [(number, row.key, place, row.byte_offset, row.byte_size) for place, row in enumerate(index.samples)]


def _part_rows(number: int, index: ShardIndex) -> list[tuple[int, int, str, int, int]]:
    return [(number, place, *part) for place, row in enumerate(index.samples) for part in row.parts]


def _split_of(splits: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Shard name -> the one split that lists it."""
    found: dict[str, str] = {}
    for split, names in splits.items():
        for name in names:
            if name in found:
                raise ValueError(f"{name}: listed twice, in {found[name]!r} and {split!r}; once was expected")
            found[name] = split
    return found


def _swap(fresh: Path, folder: Path, old: Path) -> None:
    """Put `fresh` in the place of `folder`."""
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _yaml_files(dataset_yamls: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes]:
    return {name: _yaml(content) for name, content in dataset_yamls.items()}


def _yaml(content: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True).encode()


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
